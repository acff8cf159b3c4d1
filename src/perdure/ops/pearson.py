"""Pearson correlation of paired rows, where constant rows are met often."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["pearson"]

ROUNDING = 8
"""Multiples of the machine precision, times the largest number of a row, within which a row counts as constant."""


def pearson(a: Float[Tensor, "row pair"], b: Float[Tensor, "row pair"]) -> Float[Tensor, " row"]:
    """Correlate each row of one tensor with that of another; 0 where one of them is constant.

    Args:
        a: any finite numbers.
        b: their partners, perhaps in another precision; a row that varies by no more than rounding is constant.

    Returns:
        The correlations, in [-1, 1] and double precision.

    Example:
        >>> a = torch.tensor([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
        >>> [round(r, 6) for r in pearson(a, torch.tensor([[2.0, 4.0, 6.0], [1.0, 2.0, 3.0]])).tolist()]
        [1.0, 0.0]
    """
    return (_standard(a) * _standard(b)).sum(1).clamp(-1, 1)


def _standard(rows: Tensor) -> Tensor:
    """Centre rows and scale them to length 1; constant rows become zero."""
    wide = rows.double()
    wide = wide / wide.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    centred = wide - wide.mean(1, keepdim=True)
    spread = wide.amax(1, keepdim=True) - wide.amin(1, keepdim=True)
    varies = spread > ROUNDING * torch.finfo(rows.dtype).eps
    return torch.where(varies, centred, 0.0) / torch.where(varies, centred.norm(dim=1, keepdim=True), 1.0)
