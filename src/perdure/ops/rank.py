"""Ranks of the sites of each sample: top sites, average precision and area under the ROC curve."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["average_precision", "descending_rank", "mark_lowest", "mark_top", "ordering", "roc_area"]


def mark_top(
    scores: Float[Tensor, "batch site"], count: Int[Tensor, " batch"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, "batch site"]:
    """Mark the sites with the highest scores; ties divide the last places equally.

    A site is in with weight 1 above the threshold, 0 below it, and with the fraction of places left for the
    tied sites at it: the chance to be chosen if ties were broken at random. The weights add up to `count`.

    Args:
        scores: Finite numbers.
        count: Number of sites to mark in each sample, from 1 to its number of valid sites.
        mask: True at valid sites; others are never marked.

    Returns:
        Weights in [0, 1].

    Example:
        >>> everywhere = torch.ones(1, 4, dtype=torch.bool)
        >>> mark_top(torch.tensor([[5.0, 1.0, 1.0, 0.0]]), torch.tensor([2]), everywhere).tolist()
        [[1.0, 0.5, 0.5, 0.0]]
    """
    scores = scores.masked_fill(~mask, -torch.inf)
    threshold = _ascending(scores).gather(1, scores.shape[1] - count[:, None])
    above, tied = scores > threshold, scores == threshold
    # Break ties in expectation: each tied site is among the top with the same probability.
    left = (count - above.sum(1)).to(scores.dtype)
    return above + tied * (left / tied.sum(1))[:, None]


def average_precision(
    scores: Float[Tensor, "batch site"], truth: Bool[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, " batch"]:
    r"""Summarise precision over recall as a sum of steps, tied scores taken together.

    .. math:: AP = \sum_k (R_k - R_{k-1}) P_k

    Args:
        scores: Finite numbers.
        truth: True at the relevant sites.
        mask: True at valid sites; others are neither ranked nor counted.

    Returns:
        The area: 1 when the true sites rank first, their fraction of the sites when all scores are tied;
        NaN when no valid site is true.

    Reference:
        davis2006relationship

    Example:
        >>> truth, everywhere = torch.tensor([[True, False, True, False]]), torch.ones(1, 4, dtype=torch.bool)
        >>> average_precision(torch.tensor([[4.0, 3.0, 2.0, 1.0]]), truth, everywhere).item()  # (1 + 2/3) / 2
        0.8333333134651184
        >>> average_precision(torch.zeros(1, 4), truth, everywhere).item()
        0.5
    """
    hit, miss = _count_hits(scores, truth, mask)
    precision = hit / (hit + miss).clamp_min(1)
    return ((_steps(hit) * precision).sum(1) / hit[:, -1]).to(scores.dtype)


def roc_area(
    scores: Float[Tensor, "batch site"], truth: Bool[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]
) -> Float[Tensor, " batch"]:
    """Return the chance that a true site scores above another one, a tie counting as half.

    Args:
        scores: Finite numbers.
        truth: True at the relevant sites.
        mask: True at valid sites; others are neither ranked nor counted.

    Returns:
        The area under the ROC curve, 0.5 when all scores are tied; NaN when the valid sites are all true
        or all false.

    Reference:
        fawcett2006introduction

    Example:
        >>> truth, everywhere = torch.tensor([[True, False, True, False]]), torch.ones(1, 4, dtype=torch.bool)
        >>> roc_area(torch.tensor([[4.0, 3.0, 2.0, 1.0]]), truth, everywhere).item()  # 3 of 4 pairs
        0.75
    """
    hit, miss = _count_hits(scores, truth, mask)
    # Trapezoids: within a group of ties half of its true sites count as ranked above its false ones.
    middle = hit - _steps(hit) / 2
    return ((_steps(miss) * middle).sum(1) / (hit[:, -1] * miss[:, -1])).to(scores.dtype)


def descending_rank(scores: Float[Tensor, "batch site"], mask: Bool[Tensor, "batch site"]) -> Int[Tensor, "batch site"]:
    """Number the sites from the highest score down; of tied sites the one with the lower index ranks first.

    Args:
        scores: Finite numbers.
        mask: True at valid sites; others rank last.

    Returns:
        The place of each site, from 0.

    Example:
        >>> everywhere = torch.ones(1, 4, dtype=torch.bool)
        >>> descending_rank(torch.tensor([[1.0, 5.0, 1.0, 7.0]]), everywhere).tolist()
        [[2, 1, 3, 0]]
    """
    descending = -scores.masked_fill(~mask, -torch.inf)
    if scores.device.type == "cpu":
        order = torch.from_numpy(np.argsort(descending.detach().numpy(), axis=1, kind="stable"))
    else:
        order = descending.argsort(dim=1, stable=True)
    return torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).to(order).expand_as(order))


def mark_lowest(keys: Float[Tensor, "*rows site"], count: Int[Tensor, "*rows"]) -> Bool[Tensor, "*rows site"]:
    """Mark the lowest numbers of each row: with random keys, a random subset.

    Args:
        keys: Numbers without ties; infinite where nothing may be marked.
        count: Number of sites to mark, from 1 to the number of finite ones; broadcasts over the rows.

    Returns:
        True at the lowest.

    Example:
        >>> mark_lowest(torch.tensor([[0.3, 0.1, 0.2]]), torch.tensor([2])).tolist()
        [[False, True, True]]
    """
    last = (count - 1).expand(keys.shape[:-1])[..., None]
    return keys <= _ascending(keys).gather(-1, last)


def ordering(scores: Float[Tensor, "*rows site"]) -> Int[Tensor, "*rows site"]:
    """Order the sites from the lowest score up; on a CPU numpy sorts several times faster than torch.

    Args:
        scores: Numbers; equal ones are in any order.

    Returns:
        The places of the sites in that order.

    Example:
        >>> ordering(torch.tensor([[3.0, 1.0, 2.0]])).tolist()
        [[1, 2, 0]]
    """
    if scores.device.type == "cpu":
        return torch.from_numpy(np.argsort(scores.detach().numpy(), axis=-1))
    return scores.argsort(dim=-1)


def _count_hits(scores: Tensor, truth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Count true and other sites down the ranking; both counts move only where a group of ties ends."""
    scores = scores.masked_fill(~mask, -torch.inf)
    order = ordering(-scores)
    ranked = scores.gather(1, order)
    ends = torch.ones_like(mask)
    ends[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    hit = (truth & mask).gather(1, order).double().cumsum(1)
    miss = (~truth & mask).gather(1, order).double().cumsum(1)
    # The running maximum carries each count of a group's end to the sites after it, up to the next end.
    return (hit * ends).cummax(1).values, (miss * ends).cummax(1).values


def _steps(counts: Tensor) -> Tensor:
    return counts.diff(dim=1, prepend=torch.zeros_like(counts[:, :1]))


def _ascending(scores: Tensor) -> Tensor:
    if scores.device.type == "cpu":
        return torch.from_numpy(np.sort(scores.detach().numpy(), axis=-1))
    return scores.sort(dim=-1).values
