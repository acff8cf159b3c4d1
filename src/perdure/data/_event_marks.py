"""Event types as features: which types of events a step has, one or several at a time."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from perdure.core.batch import Batch
from perdure.data._splits import Splits
from perdure.data.planted_events import NO_EVENT

__all__ = ["count_marked_types", "find_types", "has_marks", "list_events"]


def count_marked_types(splits: Splits) -> int:
    """Count the event types that the features of series mark.

    Args:
        splits: Data, with names of its types.

    Returns:
        How many of the last features are 1 for each event of a step and 0 elsewhere; 0 for data without such types.

    Example:
        >>> from perdure.data.planted_events import PlantedEvents
        >>> count_marked_types(PlantedEvents(train=2, validation=1, test=1, together=2).load(0))
        16
    """
    types = len(splits.types)
    marked = types > 0 and all(has_marks(part, types) for part in (splits.train, splits.validation, splits.test))
    return types if marked else 0


def has_marks(batch: Batch, types: int) -> bool:
    """Return whether the last features of series mark event types.

    Args:
        batch: Samples.
        types: Number of types.

    Returns:
        True if there are that many features, all 0 or 1.
    """
    x = batch.inputs
    if x.ndim != 3 or not x.is_floating_point() or x.shape[2] < types:
        return False
    marks = x[..., x.shape[2] - types :]
    return bool(((marks == 0) | (marks == 1)).all())


def list_events(batch: Batch, types: int) -> Int[Tensor, "batch time together"] | None:
    """List the event types of each step.

    Args:
        batch: Samples, with the event of each step or with features that mark several.
        types: Number of types.

    Returns:
        Types of each step, as many places as the fullest step needs, -1 at unused places; None for data without events.

    Example:
        >>> x = torch.tensor([[[0.5, 1.0, 0.0, 1.0], [0.3, 0.0, 0.0, 1.0]]])
        >>> list_events(Batch(x, torch.tensor([0])), 3).tolist()
        [[[2, 0], [2, -1]]]
    """
    if batch.event is not None:
        return batch.event[..., None]
    if not has_marks(batch, types):
        return None
    marks: Bool[Tensor, "batch time type"] = batch.inputs[..., batch.inputs.shape[2] - types :].bool()
    together = max(1, int(marks.sum(2).max()))
    listed = torch.where(marks, torch.arange(types, dtype=torch.int32, device=marks.device), NO_EVENT)
    return listed.topk(together, dim=2).values.long()


def find_types(batch: Batch, types: int) -> Bool[Tensor, " type"]:
    """Return which event types occur.

    Args:
        batch: Samples.
        types: Number of types.

    Returns:
        True for those with an event; none for data without events.

    Example:
        >>> find_types(Batch(torch.zeros(1, 2, 1), torch.tensor([0]), event=torch.tensor([[2, -1]])), 3).tolist()
        [False, False, True]
    """
    result = torch.zeros(types, dtype=torch.bool)
    if batch.event is not None:
        result[batch.event[batch.event >= 0].cpu()] = True
    elif has_marks(batch, types):
        result = batch.inputs[..., batch.inputs.shape[2] - types :].amax((0, 1)).cpu() > 0
    return result
