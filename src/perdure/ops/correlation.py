"""Pearson and Spearman correlation of rows."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.ops.rank import ordering

__all__ = ["centred_ranks", "mean_ranks", "pearson", "spearman"]

ROUNDING = 8
"""Multiples of the machine precision, times the largest number of a row, within which a row counts as constant."""


def mean_ranks(scores: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]) -> Float[Tensor, "batch site"]:
    """Number the sites from the lowest score up; tied sites get the mean of their numbers.

    Args:
        scores: Finite numbers.
        mask: True at valid sites.

    Returns:
        Ranks from 1, in double precision; those of invalid sites are undefined.

    Example:
        >>> mean_ranks(torch.tensor([[5.0, 1.0, 5.0, 0.0]]), torch.tensor([[True, True, True, False]]))[:, :3].tolist()
        [[2.5, 1.0, 2.5]]
    """
    scores = scores.masked_fill(~mask, torch.inf).contiguous()
    order = ordering(scores)
    ordered = scores.gather(1, order)
    places = torch.arange(1.0, scores.shape[1] + 1, dtype=torch.float64, device=scores.device).expand_as(scores)
    # A fresh place begins a group of ties. Infinities are invalid sites, which never form a group.
    fresh = (ordered[:, 1:] != ordered[:, :-1]) | ~ordered[:, 1:].isfinite()
    if not fresh.all():
        tied = ~fresh.all(1)
        places = places.index_put((tied,), _average_ties(places[tied], fresh[tied]))
    return torch.empty_like(scores, dtype=torch.float64).scatter_(1, order, places)


def _average_ties(places: Tensor, fresh: Bool[Tensor, "batch _"]) -> Tensor:
    """Average over the places of equal scores, from the first of them to the last."""
    end = torch.ones_like(fresh[:, :1])
    first = (places * torch.cat([end, fresh], 1)).cummax(1).values
    until = (places * torch.cat([fresh, end], 1).flip(1)).cummax(1).values.flip(1)
    return (first + places.shape[1] + 1 - until) / 2


def spearman(
    a: Float[Tensor, "batch site"], b: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, " batch"]:
    r"""Correlate the ranks of two rows, ties with their mean rank.

    .. math:: \rho = \frac{\mathrm{cov}(r_a, r_b)}{\sigma_{r_a} \sigma_{r_b}}

    A constant row has no order: the value of two constant rows is 1, of a constant row and any other 0.

    Args:
        a: Finite numbers.
        b: Finite numbers of the second rows.
        mask: True at valid sites; others are not ranked.

    Returns:
        The correlation, in [-1, 1], in double precision.

    Reference:
        spearman1904proof

    Example:
        >>> everywhere = torch.ones(1, 3, dtype=torch.bool)
        >>> a = torch.tensor([[1.0, 2.0, 3.0]])
        >>> spearman(a, a.exp(), everywhere).item(), spearman(a, -a, everywhere).item()
        (1.0, -1.0)
        >>> spearman(a, torch.ones(1, 3), everywhere).item()
        0.0
    """
    x, y = (centred_ranks(scores, mask) for scores in (a, b))
    size, other = x.square().sum(1), y.square().sum(1)
    constant = (size == 0) | (other == 0)
    alike = ((size == 0) & (other == 0)).double()
    return torch.where(constant, alike, (x * y).sum(1) / (size * other).sqrt()).clamp(-1.0, 1.0)


def centred_ranks(scores: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]) -> Float[Tensor, "batch site"]:
    """Rank the sites, and subtract the mean rank, which is the same with and without ties.

    Args:
        scores: Finite numbers.
        mask: True at valid sites.

    Returns:
        Ranks around zero, in double precision; zero at sites that are not valid.

    Example:
        >>> centred_ranks(torch.tensor([[5.0, 1.0, 9.0]]), torch.ones(1, 3, dtype=torch.bool)).tolist()
        [[0.0, -1.0, 1.0]]
    """
    return (mean_ranks(scores, mask) - (mask.sum(1, keepdim=True) + 1) / 2).masked_fill(~mask, 0.0)


def pearson(a: Float[Tensor, "row pair"], b: Float[Tensor, "row pair"]) -> Float[Tensor, " row"]:
    """Correlate each row of one tensor with that of another; 0 where one of them is constant.

    Args:
        a: Finite numbers.
        b: Paired numbers, perhaps in another precision; a row that varies by no more than rounding is constant.

    Returns:
        The correlations, in [-1, 1] and double precision.

    Example:
        >>> a = torch.tensor([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
        >>> [round(r, 6) for r in pearson(a, torch.tensor([[2.0, 4.0, 6.0], [1.0, 2.0, 3.0]])).tolist()]
        [1.0, 0.0]
    """
    return (_standardise(a) * _standardise(b)).sum(1).clamp(-1, 1)


def _standardise(rows: Tensor) -> Tensor:
    """Centre rows and scale them to length 1; constant rows become zero."""
    wide = rows.double()
    wide = wide / wide.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    centred = wide - wide.mean(1, keepdim=True)
    spread = wide.amax(1, keepdim=True) - wide.amin(1, keepdim=True)
    varies = spread > ROUNDING * torch.finfo(rows.dtype).eps
    return torch.where(varies, centred, 0.0) / torch.where(varies, centred.norm(dim=1, keepdim=True), 1.0)
