"""Sums over the steps of each event type."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["event_counts", "event_sums"]


def event_sums(
    steps: Float[Tensor, "batch time"], event: Int[Tensor, "batch time"], types: int, mask: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch type"]:
    r"""Add up the values of the steps of each event type.

    .. math:: v_k = \sum_{t : e_t = k} a_t

    Args:
        steps: Value of each step.
        event: Type of each step, from 0; negative for a step without a type.
        types: Number of types.
        mask: True at valid steps; others are not counted.

    Returns:
        One value per type, zero for a type that does not occur.

    Reference:
        ger2020reproducibility

    Example:
        >>> event, valid = torch.tensor([[2, 0, 2, -1]]), torch.tensor([[True, True, True, True]])
        >>> event_sums(torch.tensor([[1.0, 5.0, 2.0, 9.0]]), event, 3, valid).tolist()
        [[5.0, 0.0, 3.0]]
    """
    typed = mask & (event >= 0)
    sums = steps.new_zeros(len(steps), types)
    return sums.scatter_add(1, event.masked_fill(~typed, 0), steps.masked_fill(~typed, 0.0))


def event_counts(
    event: Int[Tensor, "batch time"], types: int, mask: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch type"]:
    """Count the valid steps of each event type.

    Args:
        event: Type of each step, from 0; negative for a step without a type.
        types: Number of types.
        mask: True at valid steps.

    Returns:
        Number of steps of each type.

    Example:
        >>> event_counts(torch.tensor([[2, 0, 2, -1]]), 3, torch.ones(1, 4, dtype=torch.bool)).tolist()
        [[1.0, 0.0, 2.0]]
    """
    return event_sums(torch.ones(event.shape, device=event.device), event, types, mask)
