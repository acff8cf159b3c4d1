"""Explanations as vectors: one value per event type and sequence, so that sequences and runs can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.core.errors import ShapeError, UnsupportedError, VocabularyError
from perdure.data._event_marks import list_events
from perdure.ops.events import event_counts, event_sums
from perdure.ops.sequence import site_mask

__all__ = ["Compat", "Pooling", "Vectors", "name_positions", "pool_by_event", "pool_by_position"]

Pooling = Literal["sum", "mean"]
"""Whether the occurrences of an event type are summed or averaged."""

Compat = Literal["corrected", "published"]

SUMMED = ("attention",)
"""Methods whose values sum to one over the steps, so that types get sums; all others get means."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """The explanations of some sequences by event type.

    Args:
        values: One value per sequence and type, zero for a type that does not occur.
        present: True for the types that occur.
    """

    values: Float[Tensor, "sample type"]
    present: Bool[Tensor, "sample type"]

    def __len__(self) -> int:
        return len(self.values)


def pool_by_event(
    attribution: Attribution, batch: Batch, types: int, pooling: Pooling | None = None, compat: Compat = "corrected"
) -> Vectors:
    r"""Pool an attribution to one value per event type and sequence, with its sign.

    The features of a step are added up, then the steps of a type are added up or averaged:

    .. math:: v_k = \sum_{t : k \in e_t} \sum_d a_{td} \quad\text{or}\quad v_k / |\{t : k \in e_t\}|

    Where a step holds several events, each of their types gets the value of the step as a whole, as in the paper.

    Args:
        attribution: Attribution of the batch by any method, (batch, time, feature).
        batch: With the event type of each step, from 0 to types - 1, negative for a step without a type; or with
            features that mark the types of a step, as many as there are types and the last ones.
        types: Number of event types.
        pooling: "sum" or "mean"; None for that of the paper, sums of attention and means of anything else.
        compat: "corrected", or "published" for the vectors of the published code: gradients of the loss, each
            feature divided by its norm over the steps of a sequence; attention is the same in both.

    Returns:
        The vectors.

    Raises:
        ShapeError: If the batch has no events, or the attribution is not of its steps.
        VocabularyError: If an event lies beyond the types.
        UnsupportedError: For a published vector that the code does not have, or not of this target.

    Reference:
        ger2020reproducibility

    Notes:
        The published integrated gradients do not follow from an attribution: they were taken with dropout on and
        batch statistics over the path, and scaled by the number of sequences explained at once. Attention over event
        types is the sum of its steps' weights.

    Example:
        >>> from perdure.core.attribution import Provenance
        >>> batch = Batch(torch.zeros(1, 3, 2), torch.tensor([0]), event=torch.tensor([[1, 0, 1]]))
        >>> steps = torch.tensor([[[1.0, 1.0], [5.0, 0.0], [3.0, 3.0]]])
        >>> made = Provenance("gradient", {}, "logit", 0, {}, "", 1, 1)
        >>> pool_by_event(Attribution(steps, ("batch", "time", "feature"), made), batch, 3).values.tolist()
        [[5.0, 4.0, 0.0]]
    """
    event, mask = _find_events(attribution, batch, types)
    check_choice("pooling", pooling, (*get_args(Pooling), None))
    check_choice("compat", compat, get_args(Compat))
    values = attribution.values if compat == "corrected" else _reproduce_published(attribution, mask)
    steps = values.flatten(2).sum(2) if values.ndim > 2 else values
    steps, mask = (each[..., None].expand(event.shape).flatten(1) for each in (steps, mask))
    sums, counts = event_sums(steps, event.flatten(1), types, mask), event_counts(event.flatten(1), types, mask)
    method = attribution.provenance.method
    pooling = pooling or ("sum" if method in SUMMED else "mean")
    return Vectors(sums if pooling == "sum" else sums / counts.clamp_min(1).to(sums), counts > 0)


def _find_events(attribution: Attribution, batch: Batch, types: int) -> tuple[Tensor, Tensor]:
    values, event = attribution.values, list_events(batch, types)
    if event is None:
        raise ShapeError(
            f"the batch has no event types: no events, and its last {types} features do not mark any",
            "give Batch(event=...) the type of each step, or features that are 1 at its types and 0 elsewhere",
        )
    if values.shape[:2] != event.shape[:2]:
        raise ShapeError(
            f"the attribution has shape {tuple(values.shape)} and the events have {tuple(event.shape[:2])}",
            "pass the attribution of this batch, (batch, time, feature)",
        )
    if int(event.max()) >= types:
        raise VocabularyError(
            f"an event has type {int(event.max())}, but there are {types} types",
            "number the types from 0, and pass how many there are in all data",
        )
    event = event.to(values.device)
    whole = torch.ones(event.shape[:2], dtype=torch.bool, device=values.device)
    return event, whole if batch.mask is None else batch.mask.to(values.device)


def _reproduce_published(attribution: Attribution, mask: Tensor) -> Tensor:
    """Return what the published code pools; the loss is minus the log-probability of the label."""
    provenance = attribution.provenance
    if provenance.method == "attention":
        return attribution.values
    if (provenance.method, provenance.target) != ("gradient", "log_probability"):
        raise UnsupportedError(
            f"the published code has no vectors of '{provenance.method}' of '{provenance.target}'",
            "attribute by 'gradient' with target=LogProbability(label), by 'attention', or leave compat out",
        )
    loss = -attribution.values.masked_fill(~mask[:, :, None], 0.0)
    norm: Tensor = torch.linalg.vector_norm(loss, dim=1, keepdim=True)
    return loss / norm.clamp_min(torch.finfo(loss.dtype).tiny)


MOST = 256
"""Largest number of positions of a series: rank correlations of all pairs take quadratic time."""

GRID = 8
"""Number of rows and columns of positions of an image: single pixels of two runs differ even for the same object."""


class _Axis(NamedTuple):
    """An axis of a sample: its name, its size, and the number of elements in one position."""

    word: str
    size: int
    width: int

    @property
    def cells(self) -> int:
        return -(-self.size // self.width)

    def name(self, cell: int) -> str:
        first, last = cell * self.width + 1, min((cell + 1) * self.width, self.size)
        return f"{self.word} {first}" if first == last else f"{self.word}s {first} to {last}"


def pool_by_position(attribution: Attribution, batch: Batch) -> Vectors:
    r"""Average an attribution over places, with its sign; attention is added up.

    A place is

    - a feature of a table;
    - a token of a text, with all numbers of its embedding added up;
    - a feature at a step of a series, or in a window of steps where there would be more than 256 places;
    - a cell of a grid of 8 rows and columns of an image, with all channels added up.

    Args:
        attribution: Attribution of the batch by any method.
        batch: Samples; places without a valid step are not present.

    Returns:
        The vectors, one column for each place in the order of `name_positions`.

    Raises:
        ShapeError: If the attribution is not of this batch.

    Example:
        >>> from perdure.core.attribution import Provenance
        >>> batch = Batch(torch.zeros(1, 2, 1), torch.tensor([0]), mask=torch.tensor([[True, False]]))
        >>> made = Provenance("gradient", {}, "logit", 0, {}, "", 1, 1)
        >>> result = pool_by_position(Attribution(torch.ones(1, 2, 1), ("batch", "time", "feature"), made), batch)
        >>> result.values.tolist(), result.present.tolist()
        ([[1.0, 0.0]], [[True, False]])
    """
    values = attribution.values
    if values.shape[:2] != batch.inputs.shape[:2]:
        raise ShapeError(
            f"the attribution has shape {tuple(values.shape)} and the inputs have {tuple(batch.inputs.shape)}",
            "pass the attribution of this batch",
        )
    values, axes = _sum_positions(values, batch), _find_axes(batch)
    place, count = _number_positions(axes), prod(axis.cells for axis in axes)
    flat, index = values.flatten(1), place.to(values.device).expand(len(values), -1)
    valid = site_mask(batch.mask, values).expand_as(values).flatten(1).to(values.device)
    sums, counts = event_sums(flat, index, count, valid), event_counts(index, count, valid)
    summed = attribution.provenance.method in SUMMED
    return Vectors(sums if summed else sums / counts.clamp_min(1).to(sums), counts > 0)


def name_positions(batch: Batch) -> tuple[str, ...]:
    """Name the places of `pool_by_position`, counted from 1.

    Args:
        batch: Samples of the data.

    Returns:
        One name for each column.

    Example:
        >>> name_positions(Batch(torch.zeros(1, 2, 2), torch.tensor([0])))
        ('step 1, feature 1', 'step 1, feature 2', 'step 2, feature 1', 'step 2, feature 2')
        >>> name_positions(Batch(torch.zeros(1, 2), torch.tensor([0])))
        ('feature 1', 'feature 2')
    """
    axes = _find_axes(batch)
    cells = product(*(range(axis.cells) for axis in axes))
    return tuple(", ".join(axis.name(cell) for axis, cell in zip(axes, position, strict=True)) for position in cells)


def _find_axes(batch: Batch) -> tuple[_Axis, ...]:
    x = batch.inputs
    size = x.shape[1:]
    if x.ndim == 2:
        whole = x.is_floating_point()
        return (_Axis("feature", size[0], 1) if whole else _Axis("token", size[0], -(-size[0] // MOST)),)
    if x.ndim == 3:
        windows = max(1, MOST // size[1])
        return _Axis("step", size[0], -(-size[0] // windows)), _Axis("feature", size[1], 1)
    return _Axis("row", size[1], -(-size[1] // GRID)), _Axis("column", size[2], -(-size[2] // GRID))


def _sum_positions(values: Tensor, batch: Batch) -> Tensor:
    """Add up the numbers of a token, and the channels of a pixel."""
    if batch.inputs.ndim == 2:
        return values.flatten(2).sum(2) if values.ndim > 2 else values
    return values.sum(1) if values.ndim == 4 else values


def _number_positions(axes: tuple[_Axis, ...]) -> Int[Tensor, " element"]:
    """Number the place of each element of a sample, in row-major order."""
    place = torch.zeros(1, dtype=torch.long)
    for axis in axes:
        cell = torch.arange(axis.size) // axis.width
        place = (place[:, None] * axis.cells + cell).flatten()
    return place
