import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data.planted_text import INTENSIFIERS, NEGATORS, NEUTRAL, POLAR, PlantedText, vocabulary
from tests.reference.planted_text_rule import labels_and_evidence, votes_of


@pytest.fixture(scope="module")
def batch():
    return PlantedText(train=1, validation=1, test=300).load(0).test


def test_label_and_truth_follow_from_the_rule_as_a_reader_would_apply_it(batch):
    for text, label, truth in zip(batch.text, batch.label.tolist(), batch.truth, strict=True):
        result, evidence = labels_and_evidence(text.text)
        assert result == label, text.text
        assert [text.tokens[i].lower() for i in truth.nonzero()[:, 0]] == evidence, text.text


def test_truth_is_sentiment_for_the_class_and_the_word_before_it(batch):
    for text, label, truth in zip(batch.text, batch.label.tolist(), batch.truth, strict=True):
        marked = [text.tokens[i].lower() for i in truth.nonzero()[:, 0]]
        for before, adjective in zip(marked[::2], marked[1::2], strict=True):
            assert before in NEGATORS or before in INTENSIFIERS
            assert adjective in POLAR[1 - label if before in NEGATORS else label]


def test_no_statement_for_the_class_can_be_spared(batch):
    """One for and none against, or two for and one against: without one of those for it there is no majority."""
    result = {tuple(sorted(vote == label for vote, _, _ in votes_of(text.text))) for text, label in read(batch)}
    assert result == {(True,), (False, True, True)}


def read(batch):
    return zip(batch.text, batch.label.tolist(), strict=True)


def test_distractors_have_the_form_of_what_counts():
    """With both words taken out, statements about anything come in the same forms; negators are as frequent."""
    count, neutral = {}, set(NEUTRAL.split())
    polar = {*POLAR[0], *POLAR[1]}
    for text in PlantedText(train=1, validation=1, test=2000).load(1).test.text:
        for sentence in text.text.lower().rstrip(".").split(". "):
            words = sentence.split()
            for place in (i for i, word in enumerate(words) if word in polar | neutral):
                form = (len(words), place, words[place - 1] in NEGATORS)
                sides = count.setdefault(form, [0, 0])
                sides[words[place] in polar] += 1
    counts = torch.tensor(list(count.values())).double()
    fractions = counts / counts.sum(0)
    error = (fractions.mean(1) * (1 / counts.sum(0)).sum()).sqrt()  # of the difference of two shares, at most
    assert ((fractions[:, 0] - fractions[:, 1]).abs() < 4 * error).all()


def test_reviews_are_as_long_as_requested_and_balanced(batch):
    lengths = batch.mask.sum(1)
    assert lengths.min() >= 20
    assert lengths.max() <= 50
    assert batch.label.bincount().tolist() == [150, 150]


def test_words_alone_are_barely_informative(batch):
    """Positive words are about as frequent in negative reviews: the classes differ in the neighbours of the words."""
    number = {word: place for place, word in enumerate(vocabulary())}
    good = torch.isin(batch.inputs, torch.tensor([number[word] for word in POLAR[1]])).sum(1).double()
    bad = torch.isin(batch.inputs, torch.tensor([number[word] for word in POLAR[0]])).sum(1).double()
    right = ((good > bad) == batch.label.bool()).double().mean()
    assert 0.4 < right < 0.7


def test_test_samples_do_not_depend_on_the_number_of_training_samples(batch):
    other = PlantedText(train=3, validation=1, test=300).load(0).test
    assert other.inputs.equal(batch.inputs)
    assert other.text == batch.text


def test_reviews_may_be_long():
    lengths = PlantedText(train=1, validation=1, test=20, shortest=380, longest=400).load(0).test.mask.sum(1)
    assert lengths.min() >= 380
    assert lengths.max() <= 400


def test_texts_read_like_sentences(batch):
    assert all(text.text[0].isupper() and text.text.endswith(".") and " ." not in text.text for text in batch.text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"longest": 39}, "longest is 39"), ({"shortest": 45}, "longest is 50"), ({"negation": 2.0}, "negation is 2.0")],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(SettingError, match=message):
        PlantedText(**settings)
