import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.batch import Text
from perdure.report.charts.heatmap import Limits
from perdure.report.charts.palette import DARK, LIGHT
from perdure.report.charts.sentences import (
    colour_sentence,
    group_words,
    list_tones,
    mark_words,
    sum_over_words,
    to_words,
    word_spans,
)
from perdure.report.pages.samples import build_samples

TEXT = Text(" Well, not <b>bad</b>!", ((1, 5), (7, 10), (11, 21), (21, 22)))


def test_the_tokens_put_together_are_the_text():
    result = colour_sentence(TEXT, np.array([1.0, -2.0, 0.5, 0.0]), Limits(2.0, True))
    assert "".join(token.text for token in result.tokens) == TEXT.text
    assert [token.text for token in result.tokens if token.value] == list(TEXT.tokens)


def test_truth_marks_its_tokens_and_padding_is_ignored():
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan, np.nan])
    result = colour_sentence(TEXT, values, Limits(4.0, False), np.array([False, True, False, False, True, True]))
    assert [token.text for token in result.tokens if token.truth] == ["not"]


def test_tokens_beyond_the_values_have_no_colour():
    result = colour_sentence(TEXT, np.array([1.0]), Limits(1.0, False))
    assert [token.text for token in result.tokens] == [" ", "Well", ", not <b>bad</b>!"]


@pytest.mark.parametrize("fraction", np.linspace(-1, 1, 9))
def test_ink_stands_out_from_its_ground(fraction):
    """At least 3 to 1 everywhere, as the accessibility guidelines require for large text."""
    (token,) = colour_sentence(Text("a", ((0, 1),)), np.array([fraction]), Limits(1.0, True)).tokens
    tone = list_tones(Limits(1.0, True))[token.tone]
    for (ground, ink), palette in ((tone.light, LIGHT), (tone.dark, DARK)):
        assert ink in (palette.ink, palette.paper)
        assert contrast(ground, ink) > 3


def contrast(item, other):
    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(item), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TEXTS = (
    Text("not acted!", ((0, 0), (0, 3), (4, 7), (7, 9), (9, 10), (10, 10)), pieces=True),
    Text("bad", ((0, 0), (0, 3), (3, 3)), pieces=True),
)
MAPS = np.array([[8.0, 1.0, 2.0, 3.0, 4.0, 16.0], [8.0, 5.0, 16.0, np.nan, np.nan, np.nan]])


def test_pieces_add_up_to_their_word_and_marks_round_a_text_to_none():
    assert np.array_equal(sum_over_words(MAPS, TEXTS), [[1, 9], [5, np.nan]], equal_nan=True)
    truth = np.zeros((2, 6), bool)
    truth[0, 3] = truth[1, 0] = True
    assert mark_words(truth, TEXTS).tolist() == [[False, True], [False, False]]
    assert group_words(TEXTS[0]).tokens == ("not", "acted!")


def test_a_page_shows_words_whole():
    piece = build_samples(np.zeros((2, 6)), {"model": MAPS}, None, ("a", "b"), TEXTS)
    assert [token.text for token in piece.rows[0][1][0].tokens] == ["not", " ", "acted!"]
    assert [token.text for token in piece.rows[1][1][0].tokens] == ["bad"]


@given(st.text(" ab.", min_size=1, max_size=30))
def test_every_token_counts_for_its_word(text):
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


def test_a_long_text_ends_early_with_the_number_of_words_left():
    coloured = colour_sentence(TEXT, np.ones(4), Limits(1.0, False), longest=2)
    assert "".join(token.text for token in coloured.tokens) == " Well, not … and 2 more"
