"""Curves of unequal length: number of sites at each point, and resampling on a common grid."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["log_counts", "resample", "step_counts"]


def step_counts(
    total: Int[Tensor, " batch"], step: int | None, points: int
) -> tuple[Int[Tensor, "batch point"], Int[Tensor, " batch"]]:
    """Count up from zero to the total of each sample.

    Args:
        total: Number of sites of each sample, at least 1.
        step: Increment; None for `points` nearly equal steps, or steps of 1 where the total is smaller.
        points: Number of steps of each sample when there is no `step`.

    Returns:
        The counts, the first 0; rows of fewer steps stay at their total. And the steps of each sample.

    Example:
        >>> counts, steps = step_counts(torch.tensor([5, 3]), 2, 64)
        >>> counts.tolist(), steps.tolist()
        ([[0, 2, 4, 5], [0, 2, 3, 3]], [3, 2])
    """
    steps = total.clamp_max(points) if step is None else (total + step - 1).div(step, rounding_mode="floor")
    index = torch.arange(int(steps.max()) + 1, device=total.device)
    if step is None:
        counts = (2 * index * total[:, None] + steps[:, None]).div(2 * steps[:, None], rounding_mode="floor")
    else:
        counts = step * index.expand(len(total), -1)
    return torch.minimum(counts, total[:, None]), steps


def log_counts(most: Int[Tensor, " batch"], points: int) -> Int[Tensor, "batch point"]:
    """Space counts evenly on a logarithmic axis, from 1 to the most of each sample.

    Args:
        most: Largest count of each sample, at least 1.
        points: Number of counts of each sample; they repeat where there are fewer whole numbers.

    Returns:
        The counts, ascending.

    Example:
        >>> log_counts(torch.tensor([100, 2]), 3).tolist()
        [[1, 10, 100], [1, 1, 2]]
    """
    fraction = torch.linspace(0, 1, points, dtype=torch.float64, device=most.device)
    return torch.exp(most.double().log()[:, None] * fraction).round().long()


def resample(
    place: Float[Tensor, "batch knot"], values: Float[Tensor, "batch knot"], points: int
) -> Float[Tensor, "batch point"]:
    """Interpolate curves at equal distances between the first and the last knot of each.

    Args:
        place: Positions of the knots, ascending; the last may repeat.
        values: Values of the curves at the knots, linear in between.
        points: Number of equal intervals of each curve.

    Returns:
        The curves at points + 1 places.

    Example:
        >>> resample(torch.tensor([[0.0, 0.5, 1.0, 1.0]]), torch.tensor([[0.0, 4.0, 0.0, 0.0]]), 4).tolist()
        [[0.0, 2.0, 4.0, 2.0, 0.0]]
    """
    if place.shape[1] == 1:
        return values.expand(-1, points + 1)
    first, last = place[:, :1], place[:, -1:]
    grid = first + (last - first) * torch.linspace(0, 1, points + 1, dtype=place.dtype, device=place.device)
    right = torch.searchsorted(place.contiguous(), grid, right=False).clamp(1, place.shape[1] - 1)
    begin, end = place.gather(1, right - 1), place.gather(1, right)
    part = torch.where(end > begin, ((grid - begin) / (end - begin)).clamp(0, 1), 1.0)
    return torch.lerp(values.gather(1, right - 1), values.gather(1, right), part)
