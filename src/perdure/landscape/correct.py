"""Corrections: back down to the floor of a valley, without losing the way that was gained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.random import stream
from perdure.landscape.direction import direction
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, difference, flatten, unflatten

__all__ = ["Corrector"]


@dataclass(frozen=True, eq=False)
class Corrector:
    """Descends by gradients of few samples, and never away from a target.

    Each correction takes the step that Adam would take, in the `direction` that turns least from it among those that
    do not lead away from the target: valley tracking with the roles of loss and distance exchanged. The steps become
    shorter from one to the next, so that the last ones settle. Adam begins anew at each call, and the samples follow
    from the number of gradients before, so a call depends on nothing but its arguments.

    Args:
        surface: gives gradients.
        target: not to be led away from.
        steps: corrections of a call.
        batch_size: samples of a gradient, which go through all samples in one order.

    Reference:
        ger2020reproducibility

    Example:
        >>> from perdure.core.batch import Batch
        >>> from perdure.landscape.surface import ModelLoss
        >>> surface = ModelLoss(torch.nn.Linear(1, 2, bias=False), Batch(torch.ones(1, 1), torch.tensor([0])))
        >>> here, target = ({"weight": torch.tensor([[0.0], [y]])} for y in (1.0, 0.0))
        >>> found = Corrector(surface, target).descend(here, 0.5)["weight"]
        >>> bool(found[0] > 0), bool(found[1] < 1)
        (True, True)
    """

    surface: Surface
    target: Params
    steps: int = 8
    batch_size: int = 256

    def descend(self, point: Params, length: float, before: int = 0) -> Params:
        """Correct a point.

        Args:
            point: where to begin; not written to.
            length: of the first correction, at most; that of a step by which Adam moves every weight alike.
            before: gradients that were taken before.

        Returns:
            The point after all corrections.

        Raises:
            NonFiniteError: when a gradient is NaN or infinite.
        """
        here = flatten(point).double()
        aim = here + difference(point, self.target)
        whole = length / math.sqrt(len(here))
        learner = torch.optim.Adam([here.requires_grad_()], whole)
        for k in range(self.steps):
            learner.param_groups[0]["lr"] = whole * (1 - k / self.steps)
            start = here.detach().clone()
            here.grad = flatten(self.surface.gradient(unflatten(start, point), self._some(before + k))).double()
            learner.step()
            with torch.no_grad():
                here.copy_(start + _kept(here - start, start - aim))
        return unflatten(here.detach(), point)

    def _some(self, k: int) -> Int[Tensor, " some"] | None:
        """Choose the samples of a gradient; None when they are all."""
        size = self.surface.size
        if size <= self.batch_size:
            return None
        order = torch.randperm(size, generator=stream(0, "valley"))
        return order[(k * self.batch_size + torch.arange(self.batch_size)) % size]


def _kept(move: Float[Tensor, " weight"], away: Float[Tensor, " weight"]) -> Float[Tensor, " weight"]:
    """Turn a move so that it does not lead away; drop it where nothing of it is left then."""
    way = direction(move, away, 0.0) if move.any() else move
    return move.norm() * way if move @ way > 0 else torch.zeros_like(move)
