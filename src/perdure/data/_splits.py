"""Splits: the training, validation and test samples of one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import EmptyDataError, SettingError, VocabularyError
from perdure.core.random import stream
from perdure.ops.sequence import site_mask

__all__ = ["Splits", "slice_batch", "split", "standardise", "stratify"]


@dataclass(frozen=True, eq=False)
class Splits:
    """Training, validation and test samples, with the names of the classes.

    Args:
        train: Samples for training.
        validation: Samples for model selection.
        test: Samples for the final evaluation.
        classes: Name of each class; a label is a position in it.
        vocabulary: Words of texts; a token id is a position in it. Empty when the inputs are no text.
        types: Names of the event types; an event is a position in it. Empty when there are none, or no names.
        feature_names: Name of each feature of a step; empty when they have none.
    """

    train: Batch
    validation: Batch
    test: Batch
    classes: tuple[str, ...]
    vocabulary: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()

    @property
    def features(self) -> int:
        """Size of the input: features of a step or a row, channels of an image, words of the vocabulary.

        Raises:
            VocabularyError: For token ids without a vocabulary.
        """
        x = self.train.inputs
        if x.is_floating_point():
            return x.shape[1] if x.ndim == 4 else x.shape[-1]
        if not self.vocabulary:
            raise VocabularyError("the inputs are token ids, but the splits have no vocabulary", "give vocabulary=")
        return len(self.vocabulary)


def split(
    batch: Batch, classes: tuple[str, ...], seed: int, fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
) -> Splits:
    """Split a batch so that every part has the classes in proportion.

    Args:
        batch: All samples; each goes to one part, with its name, mask and truth.
        classes: Name of each class.
        seed: Seed of the draw.
        fractions: Fractions of training, validation and test samples, with sum 1.

    Returns:
        The splits, each in the order of the batch.

    Raises:
        SettingError: When the fractions are not positive or do not add up to 1.
        EmptyDataError: When there are too few samples for three parts.
    """
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise SettingError(f"the fractions of a split are {fractions}", "give three positive numbers with sum 1")
    parts = stratify(batch.label, fractions, stream(seed, "split"))
    if not all(map(len, parts)):
        raise EmptyDataError(
            f"{len(batch)} samples split into parts of {', '.join(str(len(part)) for part in parts)}",
            "give more samples, so that training, validation and test each get one",
        )
    train, validation, test = (slice_batch(batch, part) for part in parts)
    return Splits(train, validation, test, classes)


def stratify(
    label: Int[Tensor, " batch"], fractions: Sequence[float], generator: torch.Generator
) -> list[Int[Tensor, " part"]]:
    """Assign samples to parts of given sizes, each class in proportion.

    The n samples of a class, in random order, are spread over [0, 1): one into each interval of length 1/n.
    The parts are consecutive ranges of all samples in the order of these places, so their sizes are exact
    and a class too small for every part has no part that it always falls into.

    Args:
        label: Class of each sample.
        fractions: Fraction of each part, with sum 1.
        generator: Random stream of the draw.

    Returns:
        Positions of the samples of each part, ascending.

    Example:
        >>> label = torch.tensor([0] * 10 + [1] * 5)
        >>> parts = stratify(label, (0.6, 0.2, 0.2), torch.Generator())
        >>> [label[part].bincount().tolist() for part in parts]
        [[6, 3], [2, 1], [2, 1]]
    """
    place = torch.rand(len(label), generator=generator, dtype=torch.float64)
    for value in sorted(set(label.tolist())):
        mine = (label == value).nonzero()[:, 0]
        place[mine] = (place[mine] + torch.randperm(len(mine), generator=generator)) / len(mine)
    ends = [round(fraction * len(label)) for fraction in accumulate(fractions)]
    return [part.sort().values for part in place.argsort().tensor_split(ends[:-1])]


def standardise(splits: Splits, *, per_step: bool = True) -> Splits:
    """Shift and scale each (time, feature) column by its mean and standard deviation on the training samples.

    Columns that do not vary are shifted only. Padded steps are not counted and become zero.

    Args:
        splits: Splits to standardise.
        per_step: Whether each step has a separate mean and standard deviation; else all steps of a feature have one,
            which keeps the shape of a series.

    Returns:
        New splits; labels, masks, truth and names are kept.

    Reference:
        ismail2019inputcell

    Example:
        >>> batch = Batch(torch.tensor([[[1.0, 5.0]], [[3.0, 5.0]]]), torch.tensor([0, 1]))
        >>> standardise(Splits(batch, batch, batch, ("a", "b"))).test.inputs.tolist()
        [[[-1.0, 0.0]], [[1.0, 0.0]]]
    """
    mean, std = _columns(splits.train, (0,) if per_step else (0, 1))

    def scale(batch: Batch) -> Batch:
        inputs = (batch.inputs - mean) / std
        return replace(batch, inputs=inputs.masked_fill(~site_mask(batch.mask, inputs), 0.0))

    return replace(splits, train=scale(splits.train), validation=scale(splits.validation), test=scale(splits.test))


def _columns(batch: Batch, axes: tuple[int, ...]) -> tuple[Float[Tensor, "*site"], Float[Tensor, "*site"]]:
    """Return mean and standard deviation of each column; one within rounding of zero becomes one."""
    x, valid = batch.inputs, site_mask(batch.mask, batch.inputs)
    count = valid.sum(axes).clamp_min(1)
    mean = x.masked_fill(~valid, 0.0).sum(axes, dtype=torch.float64) / count
    square = (x - mean.to(x.dtype)).square().masked_fill(~valid, 0.0)
    std = (square.sum(axes, dtype=torch.float64) / count).sqrt()
    varies = std > 10 * torch.finfo(x.dtype).eps * mean.abs()
    return mean.to(x.dtype), torch.where(varies, std, 1.0).to(x.dtype)
