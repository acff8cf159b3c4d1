"""Windows that slide over the axes of an input."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["occlude", "window_count", "window_cover"]


def window_count(size: Tensor | int, window: int, stride: int) -> Tensor:
    """Count the windows that it takes to reach the end of an axis; the last may stick out.

    Args:
        size: sites of the axis.
        window: sites in a window.
        stride: sites from one window to the next.

    Returns:
        The count, one where the window is as large as the axis or larger.

    Example:
        >>> window_count(5, 2, 2).item()
        3
    """
    left = (torch.as_tensor(size) - window).clamp_min(0)
    return (left + stride - 1).div(stride, rounding_mode="floor") + 1


def window_cover(size: int, window: int, stride: int) -> Bool[Tensor, "window site"]:
    """Mark the sites of each window along an axis.

    Args:
        size: sites of the axis.
        window: sites in a window.
        stride: sites from one window to the next, at most `window`.

    Returns:
        True where a window covers a site; every site is covered.

    Example:
        >>> window_cover(5, 2, 2).int().tolist()
        [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
    """
    first = torch.arange(int(window_count(size, window, stride)))[:, None] * stride
    site = torch.arange(size)
    return (site >= first) & (site < first + window)


def occlude(
    x: Float[Tensor, "batch *site"], baseline: Float[Tensor, "batch *site"], covers: list[Bool[Tensor, "copies _"]]
) -> Float[Tensor, "copies batch *site"]:
    """Make copies of the inputs, each with one window at the baseline.

    Args:
        x: the inputs.
        baseline: shaped like x.
        covers: for each site axis the sites of each copy's window; the window is their product.

    Returns:
        The copies.

    Example:
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> occlude(x, torch.zeros_like(x), [window_cover(3, 1, 1)]).tolist()
        [[[0.0, 2.0, 3.0]], [[1.0, 0.0, 3.0]], [[1.0, 2.0, 0.0]]]
    """
    window = torch.ones([len(covers[0])] + [1] * x.ndim, dtype=torch.bool, device=x.device)
    for axis, cover in enumerate(covers, start=2):
        shape = [1] * window.ndim
        shape[0], shape[axis] = cover.shape
        window = window & cover.to(x.device).reshape(shape)
    return torch.where(window, baseline, x)
