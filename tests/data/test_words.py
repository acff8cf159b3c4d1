import pytest

from perdure.core.errors import LengthError, SettingError
from perdure.data._read.words import encode, learn_vocabulary
from perdure.data.planted_text import PlantedText

TEXTS = ["Not bad<br />at ALL!", "don't go   bad", "\u0130stanbul, caf\u00e9"]


def test_frequent_words_come_first_and_equals_in_alphabetical_order():
    assert learn_vocabulary(TEXTS, 4) == ("<unk>", "<pad>", "bad", "!", "'", ",")
    assert learn_vocabulary(TEXTS[::-1], 4) == learn_vocabulary(TEXTS, 4)


def test_tokens_are_found_where_they_were_written():
    ids, mask, texts = encode(TEXTS, ("<unk>", "<pad>", "bad", "not"))
    assert [text.text for text in texts] == TEXTS
    assert texts[0].tokens == ("Not", "bad", "at", "ALL", "!")
    assert texts[1].tokens == ("don", "'", "t", "go", "bad")
    assert texts[2].tokens == ("\u0130stanbul", ",", "caf\u00e9")
    assert ids.tolist() == [[3, 2, 0, 0, 0], [0, 0, 0, 0, 2], [0, 0, 0, 1, 1]]
    assert mask.tolist() == [[True] * 5, [True] * 5, [True] * 3 + [False] * 2]


def test_a_long_text_is_refused_or_cut():
    vocabulary = learn_vocabulary(TEXTS, 20)
    with pytest.raises(LengthError, match="text 0 has 5 tokens, where 3 are allowed"):
        encode(TEXTS, vocabulary, 3)
    ids, mask, texts = encode(TEXTS, vocabulary, 3, cut=True)
    whole, _, long = encode(TEXTS, vocabulary)
    assert ids.equal(whole[:, :3])
    assert mask.all()
    assert [text.spans for text in texts] == [text.spans[:3] for text in long]


@pytest.mark.parametrize("text", ["", "  ", "<br />"])
def test_a_text_without_a_token_is_named(text):
    with pytest.raises(LengthError, match="text 1 has no token"):
        encode(["good", text], ("<unk>", "<pad>", "good"))


def test_a_vocabulary_must_have_the_two_special_words():
    with pytest.raises(SettingError, match="begins with"):
        encode(["good"], ("good", "bad"))


def test_a_planted_text_that_comes_back_as_text_has_the_same_ids():
    splits = PlantedText(train=1, validation=1, test=20).load(0)
    ids, mask, texts = encode([text.text for text in splits.test.text], splits.vocabulary)
    assert ids.equal(splits.test.inputs[:, : ids.shape[1]])
    assert mask.equal(splits.test.mask[:, : ids.shape[1]])
    assert texts == splits.test.text
