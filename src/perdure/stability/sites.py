"""Explanations of any data as vectors: one value for each place that samples have in common."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.errors import ShapeError
from perdure.ops.events import event_counts, event_sums
from perdure.ops.sequence import site_mask
from perdure.stability.vectors import SUMMED, Vectors

__all__ = ["site_names", "site_vectors"]

MOST = 256
"""Places of a series at most: comparing the order of all pairs of them takes the square of their number."""

GRID = 8
"""Rows and columns of places of an image: single pixels of two runs differ where both mean the same thing."""


class _Axis(NamedTuple):
    """An axis of a sample: what stands along it, how many, and how many of them share a place."""

    word: str
    size: int
    width: int

    @property
    def cells(self) -> int:
        return -(-self.size // self.width)

    def name(self, cell: int) -> str:
        first, last = cell * self.width + 1, min((cell + 1) * self.width, self.size)
        return f"{self.word} {first}" if first == last else f"{self.word}s {first} to {last}"


def site_vectors(attribution: Attribution, batch: Batch) -> Vectors:
    r"""Average an attribution over places, with its sign; attention is added up.

    A place is

    - a feature of a table;
    - a token of a text, with all numbers of its embedding added up;
    - a feature at a step of a series, or in a window of steps where there would be more than 256 places;
    - a cell of a grid of 8 rows and columns of an image, with all channels added up.

    Args:
        attribution: of the samples of the batch, of any method.
        batch: the samples; places without a valid step are not present.

    Returns:
        The vectors, one column for each place in the order of `site_names`.

    Raises:
        ShapeError: when the attribution is not of this batch.

    Example:
        >>> from perdure.core.attribution import Provenance
        >>> batch = Batch(torch.zeros(1, 2, 1), torch.tensor([0]), mask=torch.tensor([[True, False]]))
        >>> made = Provenance("gradient", {}, "logit", 0, {}, "", 1, 1)
        >>> found = site_vectors(Attribution(torch.ones(1, 2, 1), ("batch", "time", "feature"), made), batch)
        >>> found.values.tolist(), found.present.tolist()
        ([[1.0, 0.0]], [[True, False]])
    """
    values = attribution.values
    if values.shape[:2] != batch.inputs.shape[:2]:
        raise ShapeError(
            f"the attribution has shape {tuple(values.shape)} and the inputs have {tuple(batch.inputs.shape)}",
            "pass the attribution of this batch",
        )
    values, axes = _positions(values, batch), _axes(batch)
    place, count = _places(axes), prod(axis.cells for axis in axes)
    flat, index = values.flatten(1), place.to(values.device).expand(len(values), -1)
    valid = site_mask(batch.mask, values).expand_as(values).flatten(1).to(values.device)
    sums, counts = event_sums(flat, index, count, valid), event_counts(index, count, valid)
    summed = attribution.provenance.method in SUMMED
    return Vectors(sums if summed else sums / counts.clamp_min(1).to(sums), counts > 0)


def site_names(batch: Batch) -> tuple[str, ...]:
    """Name the places of `site_vectors`, counted from 1.

    Args:
        batch: samples of the data.

    Returns:
        One name for each column.

    Example:
        >>> site_names(Batch(torch.zeros(1, 2, 2), torch.tensor([0])))
        ('step 1, feature 1', 'step 1, feature 2', 'step 2, feature 1', 'step 2, feature 2')
        >>> site_names(Batch(torch.zeros(1, 2), torch.tensor([0])))
        ('feature 1', 'feature 2')
    """
    axes = _axes(batch)
    cells = product(*(range(axis.cells) for axis in axes))
    return tuple(", ".join(axis.name(cell) for axis, cell in zip(axes, one, strict=True)) for one in cells)


def _axes(batch: Batch) -> tuple[_Axis, ...]:
    x = batch.inputs
    size = x.shape[1:]
    if x.ndim == 2:
        whole = x.is_floating_point()
        return (_Axis("feature", size[0], 1) if whole else _Axis("token", size[0], -(-size[0] // MOST)),)
    if x.ndim == 3:
        windows = max(1, MOST // size[1])
        return _Axis("step", size[0], -(-size[0] // windows)), _Axis("feature", size[1], 1)
    return _Axis("row", size[1], -(-size[1] // GRID)), _Axis("column", size[2], -(-size[2] // GRID))


def _positions(values: Tensor, batch: Batch) -> Tensor:
    """Add up the numbers of a token, and the channels of a pixel."""
    if batch.inputs.ndim == 2:
        return values.flatten(2).sum(2) if values.ndim > 2 else values
    return values.sum(1) if values.ndim == 4 else values


def _places(axes: tuple[_Axis, ...]) -> Int[Tensor, " element"]:
    """Number the place of each element of a sample, in row-major order."""
    place = torch.zeros(1, dtype=torch.long)
    for axis in axes:
        cell = torch.arange(axis.size) // axis.width
        place = (place[:, None] * axis.cells + cell).flatten()
    return place
