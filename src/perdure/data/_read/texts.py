"""Texts and labels, before they become token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.data._parts import part
from perdure.data._read.words import encode, learn_vocabulary
from perdure.data._splits import Splits, stratify

__all__ = ["Reading", "Texts", "deal", "draw", "encode_texts", "select"]


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts and their labels.

    Args:
        texts: Original texts.
        label: Class of each.
        id: Unique name of each.
    """

    texts: tuple[str, ...]
    label: Int[Tensor, " batch"]
    id: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """Settings of the conversion of texts to token ids.

    Args:
        vocabulary: Maximum number of words with an id.
        max_length: Tokens of a text.
        cut: Whether to truncate longer ones; else a longer text is an error.

    Raises:
        SettingError: For a setting out of range.
    """

    vocabulary: int
    max_length: int
    cut: bool

    def __post_init__(self) -> None:
        check_counts(vocabulary=self.vocabulary, max_length=self.max_length)


def deal(texts: Texts, classes: tuple[str, ...], marks: Sequence[str] | None, seed: int) -> tuple[Texts, Texts, Texts]:
    """Split texts as `part` splits a batch.

    Args:
        texts: All texts.
        classes: Name of each class.
        marks: "train", "validation" or "test" for each; None to draw 60, 20 and 20 %.
        seed: Seed for all random draws.

    Returns:
        The texts for training, validation and test.

    Raises:
        DataError: As for `part`.
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
        texts: All texts.
        most: Maximum number of texts.
        generator: Random stream of the draw.

    Returns:
        The texts drawn, in their order.
    """
    fraction = min(1.0, most / len(texts.texts))
    return select(texts, stratify(texts.label, (fraction, 1 - fraction), generator)[0])


def select(texts: Texts, positions: Int[Tensor, " part"]) -> Texts:
    """Select texts.

    Args:
        texts: All texts.
        positions: Positions of the selected texts.

    Returns:
        These texts, in that order.
    """
    places = positions.tolist()
    return Texts(tuple(texts.texts[i] for i in places), texts.label[positions], tuple(texts.id[i] for i in places))


def encode_texts(parts: tuple[Texts, Texts, Texts], classes: tuple[str, ...], reading: Reading) -> Splits:
    """Turn texts into token ids, with the words of the training samples as the vocabulary.

    Args:
        parts: Texts for training, validation and test.
        classes: Name of each class.
        reading: Settings of the conversion.

    Returns:
        The splits.

    Raises:
        DependencyError: Without the package tokenizers.
        EmptyDataError: When a part has no text.
        LengthError: For a text without a token, or with too many of them when it must not be cut.
    """
    words = learn_vocabulary(parts[0].texts, reading.vocabulary)
    train, validation, test = (_batch(texts, words, reading) for texts in parts)
    return Splits(train, validation, test, classes, words)


def _batch(texts: Texts, words: tuple[str, ...], reading: Reading) -> Batch:
    ids, mask, text = encode(texts.texts, words, reading.max_length, cut=reading.cut, names=texts.id)
    return Batch(ids, texts.label, mask, id=texts.id, text=text)
