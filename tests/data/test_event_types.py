import sys

import nltk
import pytest
import torch
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from perdure.core.errors import DataError, DependencyError, EmptyDataError
from perdure.data._event_types import cluster_types, has_wordnet, wordnet_types
from tests.data.files import write_wordnet

WORDS = ("<unk>", "<pad>", "the", "film", "actors", "loves", "person")
COUNTS = torch.tensor([5, 0, 9, 3, 1, 4, 1])


@pytest.fixture
def wordnet(monkeypatch, tmp_path):
    """A WordNet in which an actor is a person, and neither person nor film nor love is anything wider."""
    write_wordnet(tmp_path)
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    reader = WordNetCorpusReader(nltk.data.find("corpora/wordnet"), object())
    monkeypatch.setattr(nltk.corpus, "wordnet", reader)
    yield
    for file in reader._data_file_map.values():
        file.close()


@pytest.fixture
def no_wordnet(monkeypatch, tmp_path):
    class Missing:
        def ensure_loaded(self):
            raise LookupError

    monkeypatch.setattr(nltk.corpus, "wordnet", Missing())


def name_types(types):
    return [None if item < 0 else types.names[item] for item in types.word.tolist()]


def test_words_have_the_lexicographers_class_of_their_first_sense(wordnet):
    """Inflected words count as their base; types are in the order of their tokens; special words have none."""
    types = wordnet_types(WORDS, COUNTS, "lexicographer", 10)
    assert types.names == ("verb.emotion", "noun.communication", "noun.person")
    assert name_types(types) == [None, None, None, "noun.communication", "noun.person", "verb.emotion", "noun.person"]
    assert has_wordnet()


def test_words_have_their_first_hypernym_or_are_their_own(wordnet):
    types = wordnet_types(WORDS, COUNTS, "hypernym", 10)
    assert name_types(types)[3:] == ["film.n.01", "person.n.01", "love.v.01", "person.n.01"]
    assert name_types(wordnet_types(WORDS, COUNTS, "hypernym", 1))[3:] == [None, None, "love.v.01", None]


def test_no_known_word_is_an_error(wordnet):
    with pytest.raises(EmptyDataError, match="contains none of the words"):
        wordnet_types(("<unk>", "<pad>", "qqq"), COUNTS[:3], "hypernym", 3)


def test_without_wordnet_the_remedy_is_named(no_wordnet):
    assert not has_wordnet()
    with pytest.raises(DataError, match=r"nltk.downloader wordnet, or take types=clusters"):
        wordnet_types(WORDS, COUNTS, "hypernym", 3)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk.corpus", None)
    assert not has_wordnet()
    with pytest.raises(DependencyError, match=r"perdure\[text\]"):
        wordnet_types(WORDS, COUNTS, "hypernym", 3)


def test_vectors_of_one_direction_are_one_cluster():
    """Two directions, so two clusters for any requested number; named after their words, nearest first."""
    vectors = torch.tensor([[9.0, 9], [0, 0], [0, 0], [1, 0], [3, 0], [0, 1], [0, 5]])
    types = cluster_types(vectors, WORDS, COUNTS, 5, 0)
    assert sorted(types.names) == ["film, actors", "loves, person"]
    assert name_types(types) == [None] * 3 + ["film, actors"] * 2 + ["loves, person"] * 2
    again = cluster_types(vectors, WORDS, COUNTS, 5, 0)
    assert types.names == again.names
    unseen = cluster_types(vectors, WORDS, COUNTS * torch.tensor([1, 1, 1, 1, 0, 1, 1]), 5, 0)
    assert name_types(unseen)[4] is None


def test_no_vector_is_named():
    with pytest.raises(EmptyDataError, match="no word has a vector"):
        cluster_types(torch.zeros(7, 2), WORDS, COUNTS, 5, 0)
