"""Texts: what was written, before it becomes token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.data._parts import part
from perdure.data._splits import Splits, stratify
from perdure.data._words import encode, learn_vocabulary

__all__ = ["Reading", "Texts", "deal", "draw", "encoded", "select"]


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts and their labels.

    Args:
        texts: as they were written.
        label: the class of each.
        id: a unique name for each.
    """

    texts: tuple[str, ...]
    label: Int[Tensor, " batch"]
    id: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """How texts become token ids.

    Args:
        vocabulary: the most words that have an id of their own.
        max_length: tokens of a text.
        cut: whether to leave out what stands behind them; else a longer text is an error.

    Raises:
        SettingError: for a setting out of range.
    """

    vocabulary: int
    max_length: int
    cut: bool

    def __post_init__(self) -> None:
        check_counts(vocabulary=self.vocabulary, max_length=self.max_length)


def deal(texts: Texts, classes: tuple[str, ...], marks: Sequence[str] | None, seed: int) -> tuple[Texts, Texts, Texts]:
    """Split texts as `part` splits a batch.

    Args:
        texts: all of them.
        classes: name of each class.
        marks: "train", "validation" or "test" for each; None to draw 60, 20 and 20 %.
        seed: of what is drawn.

    Returns:
        Those for training, validation and test.

    Raises:
        DataError: as `part` says.
    """
    places = Batch(torch.arange(len(texts.texts))[:, None], texts.label, id=texts.id)
    splits = part(places, classes, marks, seed)
    return (
        select(texts, splits.train.inputs[:, 0]),
        select(texts, splits.validation.inputs[:, 0]),
        select(texts, splits.test.inputs[:, 0]),
    )


def draw(texts: Texts, most: int, generator: torch.Generator) -> Texts:
    """Draw texts with classes in proportion.

    Args:
        texts: to draw from.
        most: how many, at most.
        generator: the stream of the draw.

    Returns:
        The texts drawn, in their order.
    """
    share = min(1.0, most / len(texts.texts))
    return select(texts, stratify(texts.label, (share, 1 - share), generator)[0])


def select(texts: Texts, positions: Int[Tensor, " part"]) -> Texts:
    """Take some texts.

    Args:
        texts: to take from.
        positions: of those wanted.

    Returns:
        These texts, in that order.
    """
    places = positions.tolist()
    return Texts(tuple(texts.texts[i] for i in places), texts.label[positions], tuple(texts.id[i] for i in places))


def encoded(parts: tuple[Texts, Texts, Texts], classes: tuple[str, ...], reading: Reading) -> Splits:
    """Turn texts into token ids, with the words of the training samples as the vocabulary.

    Args:
        parts: texts for training, validation and test.
        classes: name of each class.
        reading: how texts are read.

    Returns:
        The splits.

    Raises:
        DependencyError: without the package tokenizers.
        EmptyDataError: when a part has no text.
        LengthError: for a text without a token, or with too many of them when it must not be cut.
    """
    words = learn_vocabulary(parts[0].texts, reading.vocabulary)
    train, validation, test = (_batch(one, words, reading) for one in parts)
    return Splits(train, validation, test, classes, words)


def _batch(texts: Texts, words: tuple[str, ...], reading: Reading) -> Batch:
    ids, mask, text = encode(texts.texts, words, reading.max_length, cut=reading.cut, names=texts.id)
    return Batch(ids, texts.label, mask, id=texts.id, text=text)
