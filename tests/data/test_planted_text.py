import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data.planted_text import DENIED, POLAR, PlantedText, vocabulary
from tests.reference.planted_text_rule import labels_and_evidence

NEGATIONS = {word[1:] for clause in DENIED for word in clause.split() if word.startswith("*")}


@pytest.fixture(scope="module")
def batch():
    return PlantedText(train=1, validation=1, test=300).load(0).test


def test_label_and_truth_follow_from_the_rule_as_a_reader_would_apply_it(batch):
    for text, label, truth in zip(batch.text, batch.label.tolist(), batch.truth, strict=True):
        found, evidence = labels_and_evidence(text.text)
        assert found == label, text.text
        assert [text.tokens[i].lower() for i in truth.nonzero()[:, 0]] == evidence, text.text


def test_truth_is_sentiment_for_the_class_or_its_negation(batch):
    for text, label, truth in zip(batch.text, batch.label.tolist(), batch.truth, strict=True):
        marked = [text.tokens[i].lower() for i in truth.nonzero()[:, 0]]
        assert 1 <= len(marked) <= 6
        for before, word in zip(["", *marked], marked, strict=False):
            assert word in NEGATIONS or word in POLAR[1 - label if before in NEGATIONS else label]


def test_reviews_are_as_long_as_asked_and_balanced(batch):
    lengths = batch.mask.sum(1)
    assert lengths.min() >= 20
    assert lengths.max() <= 50
    assert batch.label.bincount().tolist() == [150, 150]


def test_words_alone_say_little(batch):
    """Positive words are about as frequent in negative reviews: the classes differ in what the words stand beside."""
    number = {word: place for place, word in enumerate(vocabulary())}
    good = torch.isin(batch.inputs, torch.tensor([number[word] for word in POLAR[1]])).sum(1).double()
    bad = torch.isin(batch.inputs, torch.tensor([number[word] for word in POLAR[0]])).sum(1).double()
    right = ((good > bad) == batch.label.bool()).double().mean()
    assert 0.4 < right < 0.7


def test_test_samples_do_not_depend_on_the_number_of_training_samples(batch):
    other = PlantedText(train=3, validation=1, test=300).load(0).test
    assert other.inputs.equal(batch.inputs)
    assert other.text == batch.text


def test_texts_read_like_sentences(batch):
    assert all(text.text[0].isupper() and text.text.endswith(".") and " ." not in text.text for text in batch.text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"longest": 40}, "longest is 40"), ({"shortest": 45}, "longest is 50"), ({"negation": 2.0}, "negation is 2.0")],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(SettingError, match=message):
        PlantedText(**settings)
