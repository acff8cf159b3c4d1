"""Baselines: what an input looks like when it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.errors import SettingError
from perdure.core.random import child_seeds, normal
from perdure.ops.position import shared_axis
from perdure.ops.sequence import site_mask

__all__ = ["BASELINES", "Baseline", "baseline_of", "seeds_or_fixed"]

Baseline = Literal["zero", "mean", "blur", "noise"]

BLUR_DEVIATION = 5.0
"""Standard deviation of the blur in positions, that of the insertion curve in its paper."""

BLUR_REACH = 15
"""Positions on either side at which the blur is cut off, three deviations."""


def baseline_of(
    name: Baseline,
    x: Float[Tensor, "batch *site"],
    mask: Bool[Tensor, "batch time"] | None = None,
    seeds: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch *site"]:
    """Make the baseline of each sample.

    Args:
        name: "zero"; "mean", of the sample's own valid sites; "blur", along steps or along rows and columns, by a
            Gaussian of 5 positions; or "noise", normal with mean and deviation of the sample's own valid sites.
        x: the inputs.
        mask: true at valid steps; None when all are.
        seeds: one per sample, for the noise; None or empty for seed 0 in all samples.

    Returns:
        The baseline, shaped like x and equal to it at padded steps.

    Raises:
        SettingError: for the blur of a table, whose features have no order.

    Example:
        >>> baseline_of("mean", torch.tensor([[1.0, 3.0, 8.0]]), torch.tensor([[True, True, False]])).tolist()
        [[2.0, 2.0, 8.0]]
    """
    valid = site_mask(mask, x)
    return torch.where(valid, BASELINES[name](x, valid, seeds_or_fixed(seeds, len(x))), x)


def seeds_or_fixed(seeds: Int[Tensor, " given"] | None, batch: int) -> Int[Tensor, " batch"]:
    """Give the seeds of the samples, or seed 0 for all where there are none.

    Args:
        seeds: one per sample; None or empty for none.
        batch: the number of samples.

    Returns:
        One seed per sample.

    Example:
        >>> seeds_or_fixed(torch.zeros(0, dtype=torch.long), 2).tolist()
        [0, 0]
    """
    return torch.zeros(batch, dtype=torch.int64) if seeds is None or not len(seeds) else seeds


def _zero(x: Tensor, _: Tensor, __: Tensor) -> Tensor:
    return torch.zeros_like(x)


def _mean(x: Tensor, valid: Tensor, _: Tensor) -> Tensor:
    axes = tuple(range(1, x.ndim))
    total = x.masked_fill(~valid, 0.0).sum(axes, keepdim=True)
    return total / valid.sum(axes, keepdim=True).clamp_min(1)


def _blur(x: Tensor, valid: Tensor, _: Tensor) -> Tensor:
    """Average over valid neighbours only, so that neither padding nor a border darkens the blur."""
    shared = shared_axis(x)
    if shared is None:
        raise SettingError("a table (batch, feature) has no neighbours to blur", "choose the baseline zero or mean")
    total, weight = x.masked_fill(~valid, 0.0), valid.to(x)
    for axis in range(1, x.ndim):
        if axis != shared:
            total, weight = _smooth(total, axis), _smooth(weight, axis)
    return total / weight.clamp_min(torch.finfo(x.dtype).tiny)


def _smooth(x: Tensor, axis: int) -> Tensor:
    place = torch.arange(x.shape[axis], dtype=torch.float64, device=x.device)
    distance = (place - place[:, None]).abs()
    weights = torch.exp(-((distance / BLUR_DEVIATION) ** 2) / 2) * (distance <= BLUR_REACH)
    weights = weights / weights.sum(1, keepdim=True)
    return (x.transpose(axis, -1) @ weights.to(x).T).transpose(axis, -1)


def _noise(x: Tensor, valid: Tensor, seeds: Tensor) -> Tensor:
    wide = x.double()
    mean = _mean(wide, valid, seeds)
    deviation = _mean((wide - mean) ** 2, valid, seeds).sqrt()
    draws = normal(child_seeds(seeds, "baseline"), tuple(x.shape[1:]), wide)
    return (mean + deviation * draws).to(x.dtype)


BASELINES: dict[Baseline, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "zero": _zero,
    "mean": _mean,
    "blur": _blur,
    "noise": _noise,
}
"""How each baseline is made from the inputs, their valid sites and their seeds."""
