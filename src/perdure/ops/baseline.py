"""Baselines: what an input looks like when it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.ops.sequence import site_mask

__all__ = ["BASELINES", "Baseline", "baseline_of"]

Baseline = Literal["zero", "mean"]


def baseline_of(
    name: Baseline, x: Float[Tensor, "batch *site"], mask: Bool[Tensor, "batch time"] | None = None
) -> Float[Tensor, "batch *site"]:
    """Make the baseline of each sample.

    Args:
        name: "zero", or "mean" for the mean over the sample's own valid sites.
        x: the inputs.
        mask: true at valid steps; None when all are.

    Returns:
        The baseline, shaped like x and equal to it at padded steps.

    Example:
        >>> baseline_of("mean", torch.tensor([[1.0, 3.0, 8.0]]), torch.tensor([[True, True, False]])).tolist()
        [[2.0, 2.0, 8.0]]
    """
    valid = site_mask(mask, x)
    return torch.where(valid, BASELINES[name](x, valid), x)


def _zero(x: Tensor, _: Tensor) -> Tensor:
    return torch.zeros_like(x)


def _mean(x: Tensor, valid: Tensor) -> Tensor:
    axes = tuple(range(1, x.ndim))
    total = x.masked_fill(~valid, 0.0).sum(axes, keepdim=True)
    return total / valid.sum(axes, keepdim=True).clamp_min(1)


BASELINES: dict[Baseline, Callable[[Tensor, Tensor], Tensor]] = {"zero": _zero, "mean": _mean}
"""How each baseline is made from the inputs and their valid sites."""
