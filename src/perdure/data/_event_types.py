"""Event types of the words of a vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.batch import SPECIAL
from perdure.core.errors import DataError, DependencyError, EmptyDataError
from perdure.core.optional import require
from perdure.core.random import stream
from perdure.data.planted_events import NO_EVENT

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import Synset, WordNetCorpusReader

__all__ = ["Types", "cluster_types", "has_wordnet", "wordnet_types"]

DIGITS = 6
"""Decimal digits to which directions are rounded; beyond them they differ by rounding errors."""

SHOWN = 3
"""Number of words in the name of a cluster."""

KINDS: dict[str, Callable[[Synset], str]] = {
    "lexicographer": lambda sense: sense.lexname(),
    "hypernym": lambda sense: (sense.hypernyms() or [sense])[0].name(),
}
"""Type of the first sense of a word in WordNet: the lexicographer file, or the first hypernym."""


@dataclass(frozen=True, eq=False)
class Types:
    """The event type of each word.

    Args:
        word: Position in the names of each word of the vocabulary, -1 for none.
        names: Names of the types.
    """

    word: Int[Tensor, " word"]
    names: tuple[str, ...]


def has_wordnet() -> bool:
    """Return whether nltk is there and finds its WordNet."""
    try:
        _wordnet()
    except (DependencyError, DataError):
        return False
    return True


def wordnet_types(vocabulary: Sequence[str], counts: Int[Tensor, " word"], kind: str, most: int) -> Types:
    """Type words by their first sense in WordNet.

    Args:
        vocabulary: Words in lower case; inflected ones are looked up by their base.
        counts: Number of times that each occurs in the training texts.
        kind: Kind of type: "lexicographer" for classes such as noun.person and verb.emotion, "hypernym" for the next
            wider sense, or the sense itself where there is none wider.
        most: Maximum number of types, those with the most tokens; words of others have none.

    Returns:
        The types, frequent ones first; words that WordNet lacks have none.

    Raises:
        DependencyError: Without the package nltk.
        DataError: Without its WordNet.
        EmptyDataError: When WordNet contains no word.

    Reference:
        miller1995wordnet
    """
    wordnet = _wordnet()
    senses = [None if word in SPECIAL else next(iter(wordnet.synsets(word)), None) for word in vocabulary]
    named = [None if sense is None else KINDS[kind](sense) for sense in senses]
    tokens: dict[str, int] = {}
    for name, count in zip(named, counts.tolist(), strict=True):
        if name is not None:
            tokens[name] = tokens.get(name, 0) + count
    if not tokens:
        raise EmptyDataError("WordNet contains none of the words", "give English texts, or types=clusters")
    names = sorted(tokens, key=lambda name: (-tokens[name], name))[:most]
    place = {name: i for i, name in enumerate(names)}
    return Types(torch.tensor([place.get(name or "", NO_EVENT) for name in named]), tuple(names))


def cluster_types(
    vectors: Float[Tensor, "word dimension"],
    vocabulary: Sequence[str],
    counts: Int[Tensor, " word"],
    most: int,
    seed: int,
) -> Types:
    """Type words by clusters of their vectors, found by k-means.

    Vectors are compared by direction, and weighted by the counts of their words.

    Args:
        vectors: Vectors of each word; words with a vector of zero have no type.
        vocabulary: Words.
        counts: Number of times that each occurs in the training texts; words that do not occur have no type.
        most: Maximum number of clusters.
        seed: Seed of the search.

    Returns:
        The types, each named after the three words nearest to the middle of its cluster.

    Raises:
        EmptyDataError: When no word has a vector.

    Reference:
        arthur2007kmeans
    """
    from sklearn.cluster import KMeans

    size = vectors.norm(dim=1)
    special = torch.tensor([word in SPECIAL for word in vocabulary])
    used = ((size > 0) & (counts > 0) & ~special).nonzero()[:, 0]
    if not len(used):
        raise EmptyDataError("no word has a vector", "give a table with the words of the texts")
    points = (vectors[used] / size[used, None]).double().numpy().round(DIGITS)
    clusters = min(most, len(np.unique(points, axis=0)))
    start = stream(seed, "event_types").initial_seed() % 2**32
    search = KMeans(clusters, n_init=3, random_state=start).fit(points, sample_weight=counts[used].numpy())
    distance = np.linalg.norm(points - search.cluster_centers_[search.labels_], axis=1)
    word = torch.full((len(vocabulary),), NO_EVENT)
    word[used] = torch.from_numpy(search.labels_).long()
    nearest = sorted(range(len(used)), key=lambda i: (distance[i], i))
    named = [
        [vocabulary[used[i]] for i in nearest if search.labels_[i] == cluster][:SHOWN] for cluster in range(clusters)
    ]
    return Types(word, tuple(", ".join(words) for words in named))


def _wordnet() -> WordNetCorpusReader:
    wordnet: WordNetCorpusReader = require("nltk.corpus", extra="text", purpose="WordNet").wordnet
    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise DataError(
            "nltk does not find its WordNet", "python -m nltk.downloader wordnet, or take types=clusters"
        ) from None
    return wordnet
