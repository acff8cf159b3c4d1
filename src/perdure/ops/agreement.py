"""Agreement of two maps, row by row, over the valid sites."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.ops.rank import mark_top

__all__ = [
    "cosine",
    "distribution",
    "divergence",
    "jensen_shannon",
    "kendall",
    "overlap",
    "sign_agreement",
    "top_jaccard",
    "top_weights",
    "unit_rows",
]

PAIRS = 2**22
"""Pairs of sites compared at once."""


def kendall(
    a: Float[Tensor, "batch site"], b: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, " batch"]:
    r"""Compare the order of all pairs of sites: Kendall's tau-b.

    .. math:: \tau_b = \frac{C - D}{\sqrt{(P - T_a)(P - T_b)}}

    with C pairs in the same order, D in the opposite one, T tied ones, P all pairs. A constant row has no order: the
    value of two constant rows is 1, of a constant row and any other 0.

    Args:
        a: Finite numbers of the first map.
        b: Those of the second map.
        mask: True at valid sites; run time grows with the square of the largest number of them in a row.

    Returns:
        The correlation, in [-1, 1], in double precision.

    Reference:
        kendall1945treatment

    Example:
        >>> everywhere = torch.ones(1, 3, dtype=torch.bool)
        >>> round(kendall(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 3.0, 2.0]]), everywhere).item(), 6)
        0.333333
    """
    a, b, mask = _pack(a, b, mask)
    rows = max(1, PAIRS // max(1, a.shape[1] ** 2))
    parts = (slice(at, at + rows) for at in range(0, len(a), rows))
    return torch.cat([_tau(a[part], b[part], mask[part]) for part in parts])


def top_jaccard(
    a: Float[Tensor, "batch site"], b: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"], count: int
) -> Float[Tensor, " batch"]:
    r"""Compare the sites with the highest values: those in both over those in either.

    .. math:: J = |A_k \cap B_k| / |A_k \cup B_k|

    Sites tied at the last place divide it by the weights of `mark_top`; the value is then the sum of the smaller
    weights over that of the larger ones.

    Args:
        a: Finite numbers of the first map; pass their absolute values when the sign does not matter.
        b: Those of the second map.
        mask: True at valid sites.
        count: Number of top sites; all valid ones of a row that has fewer, so that it scores 1.

    Returns:
        A fraction in [0, 1].

    Reference:
        krishna2024disagreement

    Example:
        >>> a, b = torch.tensor([[4.0, 3.0, 2.0, 1.0]]), torch.tensor([[4.0, 1.0, 2.0, 3.0]])
        >>> round(top_jaccard(a, b, torch.ones(1, 4, dtype=torch.bool), 2).item(), 6)
        0.333333
    """
    return overlap(*(top_weights(x, mask, count) for x in (a, b)))


def sign_agreement(
    a: Float[Tensor, "batch site"], b: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, " batch"]:
    """Return the fraction of sites with the same sign; zero is a separate sign.

    Args:
        a: Finite numbers of the first map.
        b: Those of the second map.
        mask: True at valid sites.

    Returns:
        A fraction in [0, 1], in double precision.

    Reference:
        krishna2024disagreement

    Example:
        >>> a, b = torch.tensor([[1.0, -2.0, 0.0, 3.0]]), torch.tensor([[5.0, -1.0, 0.0, -3.0]])
        >>> sign_agreement(a, b, torch.ones(1, 4, dtype=torch.bool)).item()
        0.75
    """
    same = (a.sign() == b.sign()) & mask
    return same.sum(1).double() / mask.sum(1).clamp_min(1)


def cosine(
    a: Float[Tensor, "batch site"], b: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, " batch"]:
    """Return the cosine of the angle between two rows; 1 between two zero rows, 0 between a zero row and another.

    Args:
        a: Finite numbers of the first map.
        b: Those of the second map.
        mask: True at valid sites.

    Returns:
        The cosine, in [-1, 1], in double precision.

    Example:
        >>> cosine(torch.tensor([[3.0, 0.0]]), torch.tensor([[4.0, 3.0]]), torch.ones(1, 2, dtype=torch.bool)).item()
        0.8
    """
    x, y = (unit_rows(row, mask) for row in (a, b))
    neither = ~(x.any(1) | y.any(1))
    return torch.where(neither, 1.0, (x * y).sum(1)).clamp(-1.0, 1.0)


def jensen_shannon(
    a: Float[Tensor, "batch site"], b: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, " batch"]:
    r"""Return the Jensen-Shannon divergence of two distributions over the sites, in bits.

    .. math:: JS = \tfrac12 KL(p \| m) + \tfrac12 KL(q \| m), \quad m = \tfrac12 (p + q)

    Rows are scaled to add up to 1; a row of zeros counts as uniform.

    Args:
        a: Nonnegative numbers of the first map, such as attention weights.
        b: Those of the second map.
        mask: True at valid sites.

    Returns:
        The divergence: 0 for equal distributions, 1 bit for disjoint ones, in double precision.

    Reference:
        lin1991divergence

    Example:
        >>> everywhere = torch.ones(1, 2, dtype=torch.bool)
        >>> jensen_shannon(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), everywhere).item()
        1.0
    """
    return divergence(*(distribution(x, mask) for x in (a, b)))


def top_weights(
    rows: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"], count: int
) -> Float[Tensor, "batch site"]:
    """Mark the sites with the highest values, for `top_jaccard`.

    Args:
        rows: Finite numbers.
        mask: True at valid sites.
        count: Number of top sites.

    Returns:
        Weights in [0, 1], in double precision.
    """
    return mark_top(rows.double(), mask.sum(1).clamp(1, count), mask) * mask


def overlap(first: Float[Tensor, "batch site"], second: Float[Tensor, "batch site"]) -> Float[Tensor, " batch"]:
    """Divide the sum of the smaller weights by that of the larger ones.

    Args:
        first: Weights of `top_weights` of the first map.
        second: Weights of `top_weights` of the second map.

    Returns:
        A fraction in [0, 1].
    """
    both = torch.minimum(first, second).sum(1)
    return both / (first.sum(1) + second.sum(1) - both).clamp_min(1)


def unit_rows(rows: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]) -> Float[Tensor, "batch site"]:
    """Scale each row to Euclidean norm 1; a row of zeros stays.

    Args:
        rows: Finite numbers.
        mask: True at valid sites; others become zero.

    Returns:
        The rows in double precision.
    """
    rows = rows.double().masked_fill(~mask, 0.0)
    # Divide by the largest number first, so that the squares neither overflow nor underflow.
    largest = rows.abs().amax(1, keepdim=True)
    rows = rows / torch.where(largest > 0, largest, 1.0)
    size = rows.square().sum(1, keepdim=True).sqrt()
    return rows / torch.where(size > 0, size, 1.0)


def distribution(rows: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]) -> Float[Tensor, "batch site"]:
    """Scale each row to add up to 1; a row of zeros becomes uniform.

    Args:
        rows: Nonnegative numbers.
        mask: True at valid sites; others become zero.

    Returns:
        The rows in double precision.
    """
    rows = rows.double().masked_fill(~mask, 0.0)
    rows = torch.where(rows.any(1, keepdim=True), rows, mask.double())
    return rows / rows.sum(1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)


def divergence(p: Float[Tensor, "batch site"], q: Float[Tensor, "batch site"]) -> Float[Tensor, " batch"]:
    """Return the Jensen-Shannon divergence of distributions, in bits.

    Args:
        p: Rows that add up to 1.
        q: Rows that add up to 1.

    Returns:
        Divergence of each row, from 0 to 1 bit.
    """
    middle = (p + q) / 2
    return ((_bits(p, middle) + _bits(q, middle)) / 2).sum(1).clamp(0.0, 1.0)


def _pack(a: Tensor, b: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Move the valid sites of each row to its front, and drop the columns that no row needs."""
    width = int(mask.sum(1).max())
    order = mask.int().argsort(dim=1, descending=True, stable=True)[:, :width]
    return a.gather(1, order), b.gather(1, order), mask.gather(1, order)


def _tau(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    valid = mask[:, :, None] & mask[:, None, :]
    first, second = ((x[:, :, None] - x[:, None, :]).sign().masked_fill(~valid, 0.0).flatten(1) for x in (a, b))
    untied, other = first.abs().sum(1).double(), second.abs().sum(1).double()
    alike = ((untied == 0) & (other == 0)).double()
    tau = (first * second).sum(1).double() / (untied.sqrt() * other.sqrt())
    return torch.where((untied == 0) | (other == 0), alike, tau).clamp(-1.0, 1.0)


def _bits(p: Tensor, middle: Tensor) -> Tensor:
    return torch.where(p > 0, p * (p / middle.clamp_min(torch.finfo(p.dtype).tiny)).log2(), 0.0)
