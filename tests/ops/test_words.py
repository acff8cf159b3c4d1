import torch
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.text import Text
from perdure.ops.words import to_words, word_spans


@given(st.text(" ab.", min_size=1, max_size=30))
def test_every_token_counts_for_the_word_it_stands_in(text):
    spans = tuple((i, i + 1) for i, sign in enumerate(text) if sign != " ")
    values = torch.arange(1.0, len(spans) + 1)
    words = to_words(values, Text(text, spans))
    assert [text[first:last] for first, last in word_spans(Text(text, spans))] == text.split()
    assert words.tolist() == [
        sum(values[spans.index((i, i + 1))].item() for i in range(first, last))
        for first, last in word_spans(Text(text, spans))
    ]


def test_padding_is_left_out_and_copies_are_kept_apart():
    text = Text("so good", ((0, 2), (3, 5), (5, 7)))
    values = torch.tensor([[1.0, 2.0, 3.0, 9.0], [0.0, 1.0, 1.0, 9.0]])
    assert to_words(values, text).tolist() == [[1.0, 5.0], [0.0, 2.0]]
