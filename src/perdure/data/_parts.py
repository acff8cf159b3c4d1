"""Parts of a dataset: samples for training, validation and test, from marks or drawn by the seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import DataError, EmptyDataError, LabelError
from perdure.core.printable import printable
from perdure.core.random import stream
from perdure.data._splits import Splits, split, stratify

__all__ = ["PARTS", "check_classes", "hold_out", "part", "quote_names", "split_published"]

PARTS = ("train", "validation", "test")

HELD_OUT = 0.2
"""Fraction of the training samples held out for validation where none are marked."""


def part(batch: Batch, classes: tuple[str, ...], marks: Sequence[str] | None, seed: int) -> Splits:
    """Split a batch by marks, or by the seed where there are none.

    Where no sample is marked as one of validation, a fifth of the training samples becomes one, drawn by the seed
    with classes in proportion.

    Args:
        batch: All samples.
        classes: Name of each class.
        marks: "train", "validation" or "test" for each sample; None to draw 60, 20 and 20 %.
        seed: Seed for all random draws.

    Returns:
        The splits, each in the order of the batch.

    Raises:
        DataError: For another mark.
        EmptyDataError: When no sample is marked for training or for test, or there are too few of them.
        LabelError: For a class that no training sample has.

    Example:
        >>> batch = Batch(torch.zeros(4, 1, 1), torch.tensor([0, 1, 0, 1]))
        >>> splits = part(batch, ("a", "b"), ("train", "train", "validation", "test"), 0)
        >>> splits.train.id, splits.validation.id, splits.test.id
        (('000000', '000001'), ('000002',), ('000003',))
    """
    splits = split(batch, classes, seed) if marks is None else _split_marked(batch, classes, marks, seed)
    check_classes(splits)
    return splits


def hold_out(label: Int[Tensor, " batch"], seed: int) -> list[Int[Tensor, " part"]]:
    """Split training samples into those kept and the fifth held out for validation.

    Args:
        label: Class of each sample.
        seed: Seed of the draw.

    Returns:
        Positions of the samples of both.
    """
    return stratify(label, (1 - HELD_OUT, HELD_OUT), stream(seed, "validation"))


def split_published(
    parts: Mapping[str, Batch], classes: tuple[str, ...], held_out: float, name: str, seed: int
) -> Splits:
    """Keep the published test samples, or split by the seed where only one part is there.

    Args:
        parts: Samples under "train" and "test", or under one of them.
        classes: Name of each class.
        held_out: Fraction of the training samples that validate where both parts are there.
        name: Name of the dataset, whose stream of random numbers is drawn from.
        seed: Seed for all random draws.

    Returns:
        The splits; 60, 20 and 20 % of a single part.

    Example:
        >>> batch = Batch(torch.zeros(10, 1, 1), torch.tensor([0, 1] * 5))
        >>> splits = split_published({"test": batch}, ("a", "b"), 0.1, "mnist_series", 0)
        >>> len(splits.train), len(splits.validation), len(splits.test)
        (6, 2, 2)
    """
    if len(parts) == 1:
        return part(next(iter(parts.values())), classes, None, seed)
    pool = parts["train"]
    train, validation = stratify(pool.label, (1 - held_out, held_out), stream(seed, name))
    return Splits(slice_batch(pool, train), slice_batch(pool, validation), parts["test"], classes)


def check_classes(splits: Splits) -> None:
    """Check that the training samples have every class.

    Args:
        splits: Training, validation and test samples.

    Raises:
        LabelError: For a class of validation or test that no training sample has.
    """
    learnt = set(splits.train.label.tolist())
    for name in PARTS[1:]:
        batch: Batch = getattr(splits, name)
        for label, sample in zip(batch.label.tolist(), batch.id, strict=True):
            if label not in learnt:
                raise LabelError(
                    f"the {name} sample '{sample}' has the class '{splits.classes[label]}', no training sample has it",
                    "put samples of every class into training, or leave this class out",
                )


def quote_names(names: Iterable[object]) -> str:
    """List names, each in quotes.

    Args:
        names: Names in a message.

    Returns:
        The text, without characters that could control a terminal.
    """
    return ", ".join(f"'{printable(name)}'" for name in names)


def _split_marked(batch: Batch, classes: tuple[str, ...], marks: Sequence[str], seed: int) -> Splits:
    unknown = sorted({str(mark) for mark in marks} - set(PARTS))
    if unknown:
        raise DataError(f"'split' holds {quote_names(unknown)}", f"mark each sample as one of {quote_names(PARTS)}")
    train, validation, test = (torch.tensor([i for i, mark in enumerate(marks) if mark == item]) for item in PARTS)
    if len(train) and not len(validation):
        train, validation = (train[group] for group in hold_out(batch.label[train], seed))
    for name, rows in zip(PARTS, (train, validation, test), strict=True):
        if not len(rows):
            raise EmptyDataError(f"'split' marks no sample as '{name}'", "mark some, or leave 'split' out")
    return Splits(slice_batch(batch, train), slice_batch(batch, validation), slice_batch(batch, test), classes)
