"""Sequences of unequal length: lengths, masks and last steps."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["last_valid", "length_mask", "lengths_of", "mask_of", "reverse_valid", "site_mask"]


def length_mask(lengths: Int[Tensor, " batch"], steps: int) -> Bool[Tensor, "batch time"]:
    """Mark the valid steps.

    Args:
        lengths: Valid steps of each sample.
        steps: Number of steps including padding.

    Returns:
        True at valid steps.

    Example:
        >>> length_mask(torch.tensor([1, 3]), 3).int().tolist()
        [[1, 0, 0], [1, 1, 1]]
    """
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def lengths_of(mask: Bool[Tensor, "batch time"] | None) -> Int[Tensor, " batch"] | None:
    """Count the valid steps.

    Args:
        mask: True at valid steps; None when all are.

    Returns:
        Valid steps of each sample, or None without a mask.
    """
    return None if mask is None else mask.sum(1)


def mask_of(lengths: Int[Tensor, " batch"], steps: int) -> Bool[Tensor, "batch time"] | None:
    """Mark the valid steps if any step is padding: the inverse of `lengths_of`.

    Args:
        lengths: Valid steps of each sample.
        steps: Number of steps including padding.

    Returns:
        True at valid steps; None when all are.

    Example:
        >>> mask_of(torch.tensor([3, 3]), 3) is None, mask_of(torch.tensor([2, 3]), 3).sum().item()
        (True, 5)
    """
    return None if bool((lengths == steps).all()) else length_mask(lengths, steps)


def last_valid(
    x: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None
) -> Float[Tensor, "batch feature"]:
    """Take the last valid step of each sample.

    Args:
        x: Series.
        mask: True at valid steps; None when all are.

    Returns:
        One step per sample.

    Example:
        >>> x = torch.tensor([[[1.0], [2.0], [3.0]]])
        >>> last_valid(x, torch.tensor([[True, True, False]])).item()
        2.0
    """
    if mask is None:
        return x[:, -1]
    return x[torch.arange(len(x), device=x.device), mask.sum(1) - 1]


def reverse_valid(
    x: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None
) -> Float[Tensor, "batch time feature"]:
    """Reverse the valid steps of each sample; padded steps stay at the end.

    Args:
        x: Series.
        mask: True at valid steps; None when all are.

    Returns:
        The reversed series; a second call restores the order.

    Example:
        >>> x = torch.tensor([[[1.0], [2.0], [9.0]]])
        >>> reverse_valid(x, torch.tensor([[True, True, False]])).flatten().tolist()
        [2.0, 1.0, 9.0]
    """
    if mask is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device)
    source = torch.where(mask, mask.sum(1, keepdim=True) - 1 - steps, steps)
    return x.gather(1, source[..., None].expand_as(x))


def site_mask(mask: Bool[Tensor, "batch time"] | None, x: Float[Tensor, "batch *site"]) -> Bool[Tensor, "batch *site"]:
    """Spread a mask of steps over all sites.

    Args:
        mask: True at valid steps; None when all are.
        x: Tensor that gives the shape.

    Returns:
        True at valid sites, shaped like x.
    """
    if mask is None:
        return torch.ones_like(x, dtype=torch.bool)
    return mask.reshape(*mask.shape, *[1] * (x.ndim - 2)).expand_as(x)
