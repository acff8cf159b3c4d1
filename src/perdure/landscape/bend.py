"""Curves with one bend between fixed ends: how the bend is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, check_alike, flatten, interpolate, unflatten

__all__ = ["Bend", "Parts", "learned_bend"]

Parts = Callable[[float], tuple[float, float, float]]
"""For each share of the way, how much of first end, bend and second end the point is made of."""


@dataclass(frozen=True)
class Bend:
    """How a bend is learned: Adam, whose learning rate falls to zero over the second half.

    Args:
        steps: of Adam; each takes one gradient.
        learning_rate: of the first half.
        batch_size: samples of one step.

    Raises:
        SettingError: for a value that cannot be used.
    """

    steps: int = 2000
    learning_rate: float = 0.02
    batch_size: int = 256

    def __post_init__(self) -> None:
        check_counts(steps=self.steps, batch_size=self.batch_size)
        if not self.learning_rate > 0:
            raise SettingError(f"learning_rate is {self.learning_rate}", "give a positive number")


def learned_bend(
    surface: Surface, ends: tuple[Params, Params], parts: Parts, settings: Bend, generator: torch.Generator
) -> Params:
    r"""Minimise the mean loss over the curve, :math:`E_{t \sim U(0, 1)} \, L(\theta_b(t))`, over its bend b.

    Args:
        surface: gives the gradients.
        ends: of the curve; they stay.
        parts: the shape of the curve.
        settings: how to learn.
        generator: the stream of shares and samples.

    Returns:
        The bend; it starts halfway between the ends.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    check_alike(*ends)
    first, second = map(flatten, ends)
    bend = flatten(interpolate(*ends, 0.5))
    learner = torch.optim.Adam([bend], settings.learning_rate)
    falling = torch.optim.lr_scheduler.LambdaLR(learner, lambda step: min(1.0, 2 - 2 * step / settings.steps))
    for _ in range(settings.steps):
        share = parts(float(torch.rand((), generator=generator, dtype=torch.float64)))
        point = share[0] * first + share[1] * bend + share[2] * second
        some = _some(surface.size, settings.batch_size, generator)
        bend.grad = share[1] * flatten(surface.gradient(unflatten(point, ends[0]), some))
        learner.step()
        falling.step()
    return unflatten(bend.detach(), ends[0])


def _some(size: int, count: int, generator: torch.Generator) -> Tensor | None:
    """Draw samples without repetition; None when all are taken."""
    return None if count >= size else torch.randperm(size, generator=generator)[:count]
