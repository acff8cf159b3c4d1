"""The information that a bottleneck of noise lets through, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["NATS_PER_BIT", "Mask", "capacity", "capacity_slope", "mask_of"]

NATS_PER_BIT = log(2.0)


@dataclass(frozen=True, eq=False)
class Mask:
    """Shares that are kept, beside those that are dropped, each as exact as the other near 0 and 1.

    Args:
        keep: from 0 to 1.
        drop: one minus `keep`, at least the rounding unit, so that its logarithm is finite.
    """

    keep: Float[Tensor, "batch *site"]
    drop: Float[Tensor, "batch *site"]


def mask_of(logit: Float[Tensor, "batch *site"]) -> Mask:
    """Turn logits into a mask.

    Args:
        logit: any finite values.

    Returns:
        The sigmoid of the logits, and that of their negative.

    Example:
        >>> mask = mask_of(torch.tensor([0.0, 200.0]))
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
        >>> x, half = torch.tensor([2.0], dtype=torch.float64), mask_of(torch.zeros(1, dtype=torch.float64))
        >>> round(capacity(half, x).item(), 6), round(capacity(half, x, mask_of(x + 100)).item(), 6)
        (0.818147, 0.0)
    """
    rest, open_share = _rest(mask, prior)
    ratio = mask.drop / rest
    distance = mask.keep * open_share * x / rest
    nats = 0.5 * (distance.square() - (1 - ratio) * (1 + ratio)) - _log(mask, prior, rest)
    return nats.clamp_min(0.0)


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
        >>> half = mask_of(torch.zeros(1))
        >>> capacity_slope(half, torch.tensor([2.0])).item()
        3.5
    """
    rest, open_share = _rest(mask, prior)
    ratio = mask.drop / rest
    spread = (1 - ratio) * (1 + ratio) * open_share / (mask.drop * rest)
    return spread + mask.keep * (open_share * x / rest).square() / rest


def _rest(mask: Mask, prior: Mask | None) -> tuple[Tensor, Tensor]:
    """Give 1 - m lambda and 1 - m."""
    if prior is None:
        one = torch.ones_like(mask.drop)
        return one, one
    return mask.drop + mask.keep * prior.drop, prior.drop


def _log(mask: Mask, prior: Mask | None, rest: Tensor) -> Tensor:
    """Give the logarithm of (1 - lambda) / (1 - m lambda), exact where lambda is small."""
    small = torch.log1p(-mask.keep)
    if prior is not None:
        small = small - torch.log1p(-mask.keep * prior.keep)
    return torch.where(mask.keep < 0.5, small, (mask.drop / rest).log())
