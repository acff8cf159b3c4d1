"""Capacity of a noise bottleneck, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["NATS_PER_BIT", "Mask", "capacity", "capacity_slope", "mask_from_logits"]

NATS_PER_BIT = log(2.0)

SMALL = 1e-3
"""Below this fraction, six terms of a series are exact to the last digit of double precision."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Fractions of a signal that a bottleneck keeps and drops, both exact near 0 and 1.

    Args:
        keep: Fraction kept, from 0 to 1.
        drop: Fraction dropped, one minus `keep` and at least the rounding unit, so that its logarithm is finite.
    """

    keep: Float[Tensor, "batch *site"]
    drop: Float[Tensor, "batch *site"]


def mask_from_logits(logit: Float[Tensor, "batch *site"]) -> Mask:
    """Turn logits into a mask.

    Args:
        logit: Finite values.

    Returns:
        The sigmoid of the logits, and that of their negative.

    Example:
        >>> mask = mask_from_logits(torch.tensor([0.0, 200.0]))
        >>> mask.keep.tolist(), bool(mask.drop[1] > 0)
        ([0.5, 1.0], True)
    """
    return Mask(logit.sigmoid(), (-logit).sigmoid().clamp_min(torch.finfo(logit.dtype).eps))


def capacity(mask: Mask, x: Float[Tensor, "batch *site"], prior: Mask | None = None) -> Float[Tensor, "batch *site"]:
    r"""Measure the information about an input that passes when it is mixed with standard normal noise.

    .. math:: Z = \lambda x + (1 - \lambda) \varepsilon, \quad
              C = KL[N(\lambda x, (1-\lambda)^2) \,\|\, N(\lambda m x, (1 - m \lambda)^2)]

    The prior is the output of the same bottleneck for an input that is the fraction m of x, and noise otherwise;
    without one, m = 0, it is the noise alone. A site that the prior keeps has
    a low capacity: zero at m = 1.

    Args:
        mask: Kept fractions :math:`\lambda`; broadcasts with x.
        x: Input, shifted and scaled so that the noise has mean 0 and standard deviation 1.
        prior: Kept fractions m; None for zero.

    Returns:
        Nats for each site, not negative.

    Reference:
        zhang2021inputiba

    Example:
        >>> x, half = torch.tensor([2.0], dtype=torch.float64), mask_from_logits(torch.zeros(1, dtype=torch.float64))
        >>> round(capacity(half, x).item(), 6), round(capacity(half, x, mask_from_logits(x + 100)).item(), 6)
        (0.818147, 0.0)
    """
    fraction, left = _shares(mask, prior)
    return 0.5 * (fraction * x).square() + _excess(fraction, left)


def capacity_slope(
    mask: Mask, x: Float[Tensor, "batch *site"], prior: Mask | None = None
) -> Float[Tensor, "batch *site"]:
    r"""Differentiate `capacity` with respect to the kept fraction.

    .. math:: \frac{\partial C}{\partial \lambda} = \frac{(1 - v)(1 - m)}{(1 - \lambda)(1 - m\lambda)}
              + \frac{\lambda (1 - m)^2 x^2}{(1 - m \lambda)^3}, \quad v = \frac{(1-\lambda)^2}{(1-m\lambda)^2}

    Args:
        mask: Same as in `capacity`.
        x: Same as in `capacity`.
        prior: Same as in `capacity`.

    Returns:
        Nats per unit of the fraction, for each site.

    Example:
        >>> half = mask_from_logits(torch.zeros(1))
        >>> capacity_slope(half, torch.tensor([2.0])).item()
        3.5
    """
    fraction, left = _shares(mask, prior)
    rest = _rest(mask, prior)
    dropped = 1.0 if prior is None else prior.drop
    return (fraction * (1 + left) / mask.drop + fraction * x.square() / rest) * dropped / rest


def _rest(mask: Mask, prior: Mask | None) -> Tensor | float:
    """Return 1 - m lambda."""
    return 1.0 if prior is None else mask.drop + mask.keep * prior.drop


def _shares(mask: Mask, prior: Mask | None) -> tuple[Tensor, Tensor]:
    """Return the distance of posterior and prior mean, and the ratio of their scales; both add up to 1."""
    rest = _rest(mask, prior)
    return mask.keep * (1.0 if prior is None else prior.drop) / rest, mask.drop / rest


def _excess(fraction: Tensor, left: Tensor) -> Tensor:
    """Return s^2/2 - s - log(1 - s), by its series where the terms would cancel."""
    series = fraction.square() * (
        1 + fraction / 3 + fraction**2 / 4 + fraction**3 / 5 + fraction**4 / 6 + fraction**5 / 7
    )
    return torch.where(fraction < SMALL, series, fraction.square() / 2 - fraction - left.log())
