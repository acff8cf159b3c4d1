"""The information that a bottleneck of noise lets through, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["NATS_PER_BIT", "Mask", "capacity", "capacity_slope", "mask_from_logits"]

NATS_PER_BIT = log(2.0)

SMALL = 1e-3
"""Shares below have six terms of a series that is exact to the last digit of double precision."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Shares that are kept, beside those that are dropped, each as exact as the other near 0 and 1.

    Args:
        keep: from 0 to 1.
        drop: one minus `keep`, at least the rounding unit, so that its logarithm is finite.
    """

    keep: Float[Tensor, "batch *site"]
    drop: Float[Tensor, "batch *site"]


def mask_from_logits(logit: Float[Tensor, "batch *site"]) -> Mask:
    """Turn logits into a mask.

    Args:
        logit: any finite values.

    Returns:
        The sigmoid of the logits, and that of their negative.

    Example:
        >>> mask = mask_from_logits(torch.tensor([0.0, 200.0]))
        >>> mask.keep.tolist(), bool(mask.drop[1] > 0)
        ([0.5, 1.0], True)
    """
    return Mask(logit.sigmoid(), (-logit).sigmoid().clamp_min(torch.finfo(logit.dtype).eps))


def capacity(mask: Mask, x: Float[Tensor, "batch *site"], prior: Mask | None = None) -> Float[Tensor, "batch *site"]:
    r"""Measure the information about an input that passes when it is mixed with noise of mean 0 and deviation 1.

    .. math:: Z = \lambda x + (1 - \lambda) \varepsilon, \quad
              C = KL[N(\lambda x, (1-\lambda)^2) \,\|\, N(\lambda m x, (1 - m \lambda)^2)]

    The prior is what the same bottleneck makes of an input that is itself the share m of x and noise else; without
    one, m = 0, it is the noise alone. A site that the prior keeps is cheap to keep: at m = 1 nothing is paid.

    Args:
        mask: the shares :math:`\lambda` that are kept; broadcasts with x.
        x: the input, shifted and scaled so that the noise has mean 0 and deviation 1.
        prior: the shares m; None for zero.

    Returns:
        Nats for each site, not negative.

    Reference:
        zhang2021inputiba

    Example:
        >>> x, half = torch.tensor([2.0], dtype=torch.float64), mask_from_logits(torch.zeros(1, dtype=torch.float64))
        >>> round(capacity(half, x).item(), 6), round(capacity(half, x, mask_from_logits(x + 100)).item(), 6)
        (0.818147, 0.0)
    """
    share, left = _shares(mask, prior)
    return 0.5 * (share * x).square() + _excess(share, left)


def capacity_slope(
    mask: Mask, x: Float[Tensor, "batch *site"], prior: Mask | None = None
) -> Float[Tensor, "batch *site"]:
    r"""Differentiate `capacity` with respect to the share that is kept.

    .. math:: \frac{\partial C}{\partial \lambda} = \frac{(1 - v)(1 - m)}{(1 - \lambda)(1 - m\lambda)}
              + \frac{\lambda (1 - m)^2 x^2}{(1 - m \lambda)^3}, \quad v = \frac{(1-\lambda)^2}{(1-m\lambda)^2}

    Args:
        mask: as in `capacity`.
        x: as in `capacity`.
        prior: as in `capacity`.

    Returns:
        Nats per unit of the share, for each site.

    Example:
        >>> half = mask_from_logits(torch.zeros(1))
        >>> capacity_slope(half, torch.tensor([2.0])).item()
        3.5
    """
    share, left = _shares(mask, prior)
    rest = _rest(mask, prior)
    dropped = 1.0 if prior is None else prior.drop
    return (share * (1 + left) / mask.drop + share * x.square() / rest) * dropped / rest


def _rest(mask: Mask, prior: Mask | None) -> Tensor | float:
    """Give 1 - m lambda."""
    return 1.0 if prior is None else mask.drop + mask.keep * prior.drop


def _shares(mask: Mask, prior: Mask | None) -> tuple[Tensor, Tensor]:
    """Give the distance of posterior and prior mean, and their ratio of deviations, which add up to 1."""
    rest = _rest(mask, prior)
    return mask.keep * (1.0 if prior is None else prior.drop) / rest, mask.drop / rest


def _excess(share: Tensor, left: Tensor) -> Tensor:
    """Give s^2/2 - s - log(1 - s), by its series where the terms would cancel."""
    series = share.square() * (1 + share / 3 + share**2 / 4 + share**3 / 5 + share**4 / 6 + share**5 / 7)
    return torch.where(share < SMALL, series, share.square() / 2 - share - left.log())
