"""The direction of valley tracking, in closed form."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor

__all__ = ["direction"]

_PARALLEL = 1e-12
"""Sine of an angle, squared, below which two directions are one."""


def direction(
    to: Float[Tensor, " weight"], gradient: Float[Tensor, " weight"], descent: float
) -> Float[Tensor, " weight"]:
    r"""Turn as little as possible from the way to the target so that the loss falls as steeply as is asked.

    Among unit vectors :math:`d` it maximises :math:`\langle d, \hat v \rangle` subject to
    :math:`\langle d, \hat g \rangle \le -s`. With :math:`p = \langle \hat v, \hat g \rangle` the solution is
    :math:`\hat v` when :math:`p \le -s`, and else

    .. math:: \sqrt{1 - s^2} \, \frac{\hat v - p \hat g}{\sqrt{1 - p^2}} - s \hat g

    Args:
        to: from here to the target, not zero; double precision.
        gradient: of the loss, here.
        descent: s, from -1 to 1: the slope that is asked for as a share of the steepest descent. With 0 the way
            straight on loses its uphill part; below 0 it may climb a little; with -1 it is left as it is.

    Returns:
        A unit vector; straight on where the gradient is zero, and steepest descent where the way is exactly uphill.

    Reference:
        ger2020reproducibility

    Example:
        >>> import torch
        >>> to, gradient = torch.tensor([[2.0, 0.0], [3.0, 3.0]], dtype=torch.float64)
        >>> [round(x, 4) for x in direction(to, gradient, 0.0).tolist()]
        [0.7071, -0.7071]

    Notes:
        The published code solves this problem anew at each step with up to 40000 steps of Adam.
    """
    straight: Tensor = to / to.norm()
    steep = gradient.norm()
    if steep == 0:
        return straight
    uphill: Tensor = gradient / steep
    p = float(straight @ uphill)
    if p <= -descent:
        return straight
    if 1 - p * p < _PARALLEL:
        return -uphill
    level: Tensor = (straight - p * uphill) / math.sqrt(1 - p * p)
    return math.sqrt(1 - descent * descent) * level - descent * uphill
