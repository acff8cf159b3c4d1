"""Event series from texts: a token is an event, its word vector what is known of it, and its kind of word the type."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, cat
from torch.nn.functional import one_hot

from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_choice, check_counts
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.core.registry import DATASETS
from perdure.data._event_types import Types, cluster_types, has_wordnet, wordnet_types
from perdure.data._read.word_vectors import learn_vectors, read_vectors
from perdure.data._splits import Splits, stratify
from perdure.data.planted_events import NO_EVENT

__all__ = ["EventTexts"]

SOURCES = ("amazon_polarity", "hub", "imdb", "planted_text", "text_table")
KINDS = ("auto", "lexicographer", "hypernym", "clusters")


@dataclass(frozen=True)
class EventTexts:
    """Texts as series of events, in the layout that was published with the attention-based explanations.

    A step becomes the vector of its word followed by the event types, 1 at the type of the word. `hierarchical` and
    `attention` take the number of types from the data, unless it is set, as in `attention:types=40`. Words without a
    type have zeros there.

    Args:
        source: Dataset of the texts: "planted_text", which needs no file, "imdb", "amazon_polarity", "text_table" or
            "hub", in Python with settings behind it.
        path: File or folder of the source; may be left out where the source allows it.
        vectors: Table of word vectors, .npz or text as GloVe has it; without it vectors are learnt from the training
            texts.
        dimensions: Dimensions of vectors that are learnt.
        types: Kind of event types: "lexicographer" for WordNet's classes such as noun.person, "hypernym" for the next
            wider sense of a word, "clusters" for clusters of the word vectors; "auto" for the first where nltk has
            its WordNet and for the last where not.
        most: Maximum number of event types: the most frequent ones, or the number of clusters.
        texts: Maximum number from each part, drawn by the seed with classes in proportion.
        max_length: Maximum number of tokens of a text; longer texts are truncated.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        ger2020reproducibility

    Notes:
        The paper takes 1024 numbers a token from BERT, and hypernyms by a rule that was not published.

    Example:
        >>> splits = EventTexts("planted_text:train=60,validation=10,test=10", types="clusters", most=5).load(0)
        >>> splits.features, len(splits.types)
        (37, 5)
    """

    source: str = "planted_text"
    path: str = ""
    vectors: str = ""
    dimensions: int = 32
    types: str = "auto"
    most: int = 40
    texts: int = 2000
    max_length: int = 128

    def __post_init__(self) -> None:
        check_choice("source", self.source.partition(":")[0], SOURCES)
        check_choice("types", self.types, KINDS)
        check_counts(dimensions=self.dimensions, most=self.most, texts=self.texts, max_length=self.max_length)

    def load(self, seed: int) -> Splits:
        """Read the texts, and replace their words by vectors and event types.

        Args:
            seed: Seed of the texts, their parts and the clusters.

        Returns:
            The splits; `event` is the type of a token, -1 for none, and all features of a token that is known to
            matter are, but of the types only its own.

        Raises:
            DataError: When the texts, vectors or WordNet are not available; subclasses name the case.
            DependencyError: When a package is missing.
        """
        result: Splits = DATASETS.make(self.source, self._settings()).load(seed)
        train, validation, test = (self._few(item, seed) for item in (result.train, result.validation, result.test))
        words = result.vocabulary
        counts = train.inputs[_mask(train)].bincount(minlength=len(words))
        if self.vectors:
            vectors = read_vectors(Path(self.vectors).expanduser(), words)
        else:
            vectors = learn_vectors(train.inputs, _mask(train), len(words), self.dimensions)
        kind = ("lexicographer" if has_wordnet() else "clusters") if self.types == "auto" else self.types
        if kind == "clusters":
            types = cluster_types(vectors, words, counts, self.most, seed)
        else:
            types = wordnet_types(words, counts, kind, self.most)
        train, validation, test = (_events(item, vectors, types) for item in (train, validation, test))
        return Splits(train, validation, test, result.classes, types=types.names)

    def _settings(self) -> dict[str, Any]:
        name = self.source.partition(":")[0]
        known = {f.name for f in fields(DATASETS.load(name))}
        if self.path and "path" not in known:
            raise SettingError(f"'{name}' reads no file, but path is '{self.path}'", "leave path out")
        given = {"path": self.path, "max_length": self.max_length, "texts": self.texts}
        return {key: value for key, value in given.items() if key in known and value}

    def _few(self, batch: Batch, seed: int) -> Batch:
        fraction = min(1.0, self.texts / len(batch))
        return slice_batch(batch, stratify(batch.label, (fraction, 1 - fraction), stream(seed, "event_texts"))[0])


def _mask(batch: Batch) -> Tensor:
    return torch.ones_like(batch.inputs, dtype=torch.bool) if batch.mask is None else batch.mask


def _events(batch: Batch, vectors: Float[Tensor, "word dimension"], types: Types) -> Batch:
    """Replace token ids by vectors and types."""
    mask = _mask(batch)
    event = types.word[batch.inputs].masked_fill(~mask, NO_EVENT)
    marks = one_hot(event + 1, len(types.names) + 1)[..., 1:]
    known = vectors[batch.inputs].masked_fill(~mask[..., None], 0.0)
    truth = None
    if batch.truth is not None:
        truth = batch.truth[..., None] & cat([torch.ones_like(known, dtype=torch.bool), marks.bool()], 2)
    return Batch(cat([known, marks.to(known.dtype)], 2), batch.label, mask, truth, event, batch.id)
