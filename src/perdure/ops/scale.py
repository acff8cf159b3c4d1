"""Scaling of each sample to a common range."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["divide_by_largest", "scale_to_unit"]


def divide_by_largest(
    values: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, "batch site"]:
    """Return the positive part of each sample as a fraction of its highest valid site.

    Args:
        values: Finite numbers.
        mask: True at valid sites.

    Returns:
        Numbers in [0, 1]; zero at sites that are not valid, and everywhere when no valid site is positive.

    Example:
        >>> divide_by_largest(torch.tensor([[2.0, 4.0, -3.0, 9.0]]), torch.tensor([[True, True, True, False]])).tolist()
        [[0.5, 1.0, 0.0, 0.0]]
    """
    positive = values.clamp_min(0.0).masked_fill(~mask, 0.0)
    largest = positive.amax(1, keepdim=True)
    return torch.where(largest > 0, positive / largest, 0.0)


def scale_to_unit(values: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]) -> Float[Tensor, "batch site"]:
    """Scale each sample linearly so that its lowest valid site is 0 and its highest 1.

    Args:
        values: Finite numbers.
        mask: True at valid sites.

    Returns:
        Numbers in [0, 1]; zero at sites that are not valid, and everywhere when a sample is constant.

    Example:
        >>> scale_to_unit(torch.tensor([[2.0, 4.0, 3.0, 9.0]]), torch.tensor([[True, True, True, False]])).tolist()
        [[0.0, 1.0, 0.5, 0.0]]
    """
    half = values / 2  # so that the range of any finite numbers is finite
    low = half.masked_fill(~mask, torch.inf).amin(1, keepdim=True)
    spread = half.masked_fill(~mask, -torch.inf).amax(1, keepdim=True) - low
    return torch.where(mask & (spread > 0), (half - low) / spread, 0.0)
