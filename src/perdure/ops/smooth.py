"""Gaussian smoothing along an axis, as a matrix, so that its adjoint is at hand."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.precision import full_precision

__all__ = ["smooth_images", "smoothing_matrix"]


@cache
def smoothing_matrix(size: int, sigma: float) -> Float[Tensor, "size size"]:
    """Build the matrix that smooths an axis with a Gaussian window, reflected at both ends.

    Args:
        size: sites of the axis.
        sigma: deviation of the window in sites; it reaches two deviations to either side.

    Returns:
        The matrix in double precision; its rows sum to 1.

    Example:
        >>> smoothing_matrix(3, 0.25).sum(1).tolist()
        [1.0, 1.0, 1.0]
    """
    reach = round(2 * sigma)
    offsets = torch.arange(-reach, reach + 1)
    weights = (-0.5 * (offsets / sigma).double().square()).exp()
    site = torch.arange(size)[:, None] + offsets
    period = max(2 * (size - 1), 1)
    folded = site.remainder(period)
    folded = torch.minimum(folded, period - folded)
    rows = (weights / weights.sum()).expand(size, -1)
    return torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, folded.clamp_max(size - 1), rows)


@full_precision
def smooth_images(
    x: Float[Tensor, "batch channel row column"], sigma: float, *, adjoint: bool = False
) -> Float[Tensor, "batch channel row column"]:
    """Smooth images over rows and columns.

    Args:
        x: images.
        sigma: deviation of the window in pixels; 0 leaves them as they are.
        adjoint: whether to apply the transposed operation, which takes gradients back.

    Returns:
        The smoothed images.

    Example:
        >>> x, y = torch.rand(2, 1, 1, 6, 7).unbind()
        >>> there, back = (smooth_images(x, 1.0) * y).sum(), (x * smooth_images(y, 1.0, adjoint=True)).sum()
        >>> torch.allclose(there, back)
        True
    """
    if sigma == 0:
        return x
    rows, columns = (smoothing_matrix(size, sigma).to(x) for size in x.shape[2:])
    return rows.T @ x @ columns if adjoint else rows @ x @ columns.T
