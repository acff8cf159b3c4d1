"""Generalizability and consistency of explanations of several models, from their pairwise distances."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["mean_generalizability", "relative_consistency"]


def mean_generalizability(
    distance: Float[Tensor, " pair"], alike: Bool[Tensor, " pair"], weight: Float[Tensor, " pair"]
) -> float:
    r"""Return MeGe: how close the explanations of models with equal predictions are.

    .. math:: MeGe = 1 / (1 + \bar\delta_=)

    Args:
        distance: Distance between two explanations of one sample.
        alike: True where the two models predict alike.
        weight: Weight of each pair.

    Returns:
        1 for equal explanations, falling to 0 with their distance; NaN when no models predict alike.

    Reference:
        fel2022how

    Example:
        >>> import torch
        >>> mean_generalizability(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([True, True, False]), torch.ones(3))
        0.3333333333333333
    """
    fraction = (weight * alike).double()
    return float(1 / (1 + (distance.double() * fraction).sum() / fraction.sum()))


def relative_consistency(
    distance: Float[Tensor, " pair"], alike: Bool[Tensor, " pair"], weight: Float[Tensor, " pair"]
) -> float:
    r"""Return ReCo: how well a threshold on the distance separates equal predictions from unequal ones.

    .. math:: ReCo = \max_\gamma\; P(\delta_= \le \gamma) + P(\delta_{\neq} > \gamma) - 1

    Args:
        distance: Distance between two explanations of one sample.
        alike: True where the two models predict alike.
        weight: Weight of each pair.

    Returns:
        1 when all explanations of equal predictions are nearer than those of unequal ones, 0 when distances are
        uninformative; NaN without pairs of either kind.

    Reference:
        fel2022how

    Example:
        >>> import torch
        >>> relative_consistency(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([True, True, False]), torch.ones(3))
        1.0
    """
    if not (distance[1:] >= distance[:-1]).all():
        distance, order = distance.sort()
        alike, weight = alike[order], weight[order]
    weight = weight.double()
    equal, unequal = weight @ alike.double(), weight @ (~alike).double()
    gap = (weight * torch.where(alike, unequal, -equal)).cumsum(0)  # times both, so that whole weights stay exact
    gap[:-1].masked_fill_(distance[1:] == distance[:-1], -torch.inf)  # before the last one of a group of ties
    return float(gap.amax() / (equal * unequal))
