"""Gaussian smoothing as a matrix, whose adjoint is its transpose, and smooth masks from a few cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, pad, unfold

from perdure.core.precision import full_precision

__all__ = ["SmoothMask", "smooth_images", "smoothing_matrix"]

TEMPERATURE = 0.05
"""Temperature of the smooth maximum, in units of the mask: a single full cell among a hundred empty ones keeps 1."""

FAINTEST = 0.01
"""Value at which the kernel is truncated."""


@cache
def smoothing_matrix(size: int, sigma: float) -> Float[Tensor, "size size"]:
    """Build the matrix that smooths an axis with a Gaussian window, reflected at both ends.

    Args:
        size: Number of sites of the axis.
        sigma: Standard deviation of the window in sites; it extends two standard deviations to either side.

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
        x: Images.
        sigma: Standard deviation of the window in pixels; 0 leaves them as they are.
        adjoint: Whether to apply the transposed operation, which takes gradients back.

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


@dataclass(frozen=True)
class SmoothMask:
    r"""Masks from a few cells in [0, 1], no rougher than their kernel.

    .. math:: m(u) = \operatorname{smax}_v \; k\big((u - v) / \sigma\big) \, c(v), \quad
        k(z) = e^{-\max(0, |z| - 1)^2 / 4}, \quad
        \operatorname{smax}_v f = \frac{\sum_v f_v e^{f_v / T}}{\sum_v e^{f_v / T}}

    Unlike an average, a maximum lets a mask reach 1 and 0 with smooth flanks between them.

    Args:
        size: Rows and columns of the mask.
        cells: Rows and columns of its cells, at most as many.
        sigma: Width of the kernel in cells; 0 for none.

    Example:
        >>> cells = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(1, 5, 1)
        >>> SmoothMask((5, 1), (5, 1), sigma=1.0)(cells).flatten()
        tensor([0.7788, 1.0000, 1.0000, 1.0000, 0.7788])
    """

    size: tuple[int, int]
    cells: tuple[int, int]
    sigma: float

    def __call__(self, cells: Float[Tensor, "mask row column"]) -> Float[Tensor, "mask rows columns"]:
        """Spread cells and resize them.

        Args:
            cells: Values in [0, 1].

        Returns:
            The masks.
        """
        smooth = self._spread(cells)[:, None]
        if self.size != self.cells:
            smooth = interpolate(smooth, self.size, mode="bilinear", align_corners=False)
        return smooth[:, 0]

    def _spread(self, cells: Tensor) -> Tensor:
        kernel = self._kernel().to(cells)
        rows, columns = kernel.shape
        around = pad(cells[:, None], (columns // 2, columns // 2, rows // 2, rows // 2))
        near = unfold(around, (rows, columns)) * kernel.flatten()[:, None]
        weights = (near / TEMPERATURE).softmax(1)
        return (near * weights).sum(1).reshape(cells.shape)

    def _kernel(self) -> Float[Tensor, "row column"]:
        reach = int(self.sigma * (1 + 2 * math.sqrt(-math.log(FAINTEST))))
        rows, columns = (torch.arange(-r, r + 1, dtype=torch.float64) for r in (min(reach, n - 1) for n in self.cells))
        if reach == 0:
            return torch.ones(1, 1)
        distance = (rows[:, None].square() + columns.square()).sqrt() / self.sigma
        return (-(distance - 1).clamp_min(0).square() / 4).exp()
