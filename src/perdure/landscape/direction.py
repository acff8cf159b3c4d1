"""The direction of valley tracking, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.random import stream
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, difference, flatten, unflatten

__all__ = ["Corrector", "find_direction"]

_PARALLEL = 1e-12
"""Sine of an angle, squared, below which two directions are one."""


def find_direction(
    to: Float[Tensor, " weight"], gradient: Float[Tensor, " weight"], descent: float
) -> Float[Tensor, " weight"]:
    r"""Return the direction nearest to the target along which the loss falls with a given slope.

    Among unit vectors :math:`d` it maximises :math:`\langle d, \hat v \rangle` subject to
    :math:`\langle d, \hat g \rangle \le -s`. With :math:`p = \langle \hat v, \hat g \rangle` the solution is
    :math:`\hat v` when :math:`p \le -s`, and else

    .. math:: \sqrt{1 - s^2} \, \frac{\hat v - p \hat g}{\sqrt{1 - p^2}} - s \hat g

    Args:
        to: From here to the target, not zero; double precision.
        gradient: Gradient of the loss at this point.
        descent: Required slope s as a fraction of the steepest descent, from -1 to 1. With 0 the way
            straight on loses its uphill part; below 0 it may climb a little; with -1 it is left as it is.

    Returns:
        A unit vector; straight on where the gradient is zero, and steepest descent where the way is exactly uphill.

    Reference:
        ger2020reproducibility

    Example:
        >>> import torch
        >>> to, gradient = torch.tensor([[2.0, 0.0], [3.0, 3.0]], dtype=torch.float64)
        >>> [round(x, 4) for x in find_direction(to, gradient, 0.0).tolist()]
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
    # Exactly uphill, every direction at a right angle turns equally far, and the formula divides by zero.
    if 1 - p * p < _PARALLEL:
        return -uphill
    # The optimum lies in the plane of both vectors, on the cone of the required slope: the part of the way that keeps
    # the loss, at length sqrt(1 - s^2), and the steepest descent, at length s.
    level: Tensor = (straight - p * uphill) / math.sqrt(1 - p * p)
    return math.sqrt(1 - descent * descent) * level - descent * uphill


@dataclass(frozen=True, eq=False)
class Corrector:
    """Descends by gradients of few samples, and never away from a target.

    Each correction takes the step that Adam would take, in the direction (`find_direction`) nearest to it among those
    that do not lead away from the target: valley tracking with the roles of loss and distance exchanged. Steps become
    shorter from one to the next, so that the last ones settle. Adam starts anew at each call, and the samples follow
    from the number of gradients before, so a call depends on nothing but its arguments.

    Args:
        surface: Loss surface.
        target: Weights that a correction must not move away from.
        steps: Corrections of a call.
        batch_size: Samples of a gradient, which go through all samples in one order.

    Reference:
        ger2020reproducibility

    Example:
        >>> from perdure.core.batch import Batch
        >>> from perdure.landscape.surface import ModelLoss
        >>> surface = ModelLoss(torch.nn.Linear(1, 2, bias=False), Batch(torch.ones(1, 1), torch.tensor([0])))
        >>> here, target = ({"weight": torch.tensor([[0.0], [y]])} for y in (1.0, 0.0))
        >>> result = Corrector(surface, target).descend(here, 0.5)["weight"]
        >>> bool(result[0] > 0), bool(result[1] < 1)
        (True, True)
    """

    surface: Surface
    target: Params
    steps: int = 8
    batch_size: int = 256

    def descend(self, point: Params, length: float, before: int = 0) -> Params:
        """Correct a point.

        Args:
            point: Start; not modified.
            length: Largest length of the first correction, reached when Adam moves every weight alike.
            before: Gradients that were taken before.

        Returns:
            The point after all corrections.

        Raises:
            NonFiniteError: If a gradient is NaN or infinite.
        """
        position = flatten(point).double()
        aim = position + difference(point, self.target)
        # The first step of Adam changes every weight by its learning rate, so its length is the rate times sqrt(n).
        whole = length / math.sqrt(len(position))
        learner = torch.optim.Adam([position.requires_grad_()], whole)
        for k in range(self.steps):
            learner.param_groups[0]["lr"] = whole * (1 - k / self.steps)
            start = position.detach().clone()
            position.grad = flatten(
                self.surface.gradient(unflatten(start, point), self._choose_samples(before + k))
            ).double()
            learner.step()
            with torch.no_grad():
                position.copy_(start + _turn_from(position - start, start - aim))
        return unflatten(position.detach(), point)

    def _choose_samples(self, k: int) -> Int[Tensor, " some"] | None:
        """Choose the samples of a gradient; None when they are all."""
        size = self.surface.size
        if size <= self.batch_size:
            return None
        # One fixed order, so that a resumed tracking draws the batches of an uninterrupted one.
        order = torch.randperm(size, generator=stream(0, "valley"))
        return order[(k * self.batch_size + torch.arange(self.batch_size)) % size]


def _turn_from(move: Float[Tensor, " weight"], away: Float[Tensor, " weight"]) -> Float[Tensor, " weight"]:
    """Turn a move so that it does not lead away; drop it where nothing of it is left then."""
    way = find_direction(move, away, 0.0) if move.any() else move
    return move.norm() * way if move @ way > 0 else torch.zeros_like(move)
