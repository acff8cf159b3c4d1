"""Curves with bends between fixed ends: how the bends are learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, check_alike, flatten, interpolate, unflatten

__all__ = ["Bend", "Parts", "learned_bends", "slowing_adam", "some_samples"]

Parts = Callable[[float], tuple[float, ...]]
"""For each share of the way, how much of first end, bends and second end the point is made of."""

_LOOK, _SHARES = 50, (0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875)
"""Steps from one look at the loss along a curve to the next, and where to look; where it is highest at first, first."""


@dataclass(frozen=True)
class Bend:
    """How bends are learned: Adam, whose learning rate falls to zero over the second half.

    Args:
        steps: of Adam; each takes one gradient.
        learning_rate: of the first half.
        batch_size: samples of one step.
        bends: how many free points there are between the ends.
        allowed: learning ends early once the loss, looked at every 50 steps at a few shares of the way, lies at most
            so many nats above that of the worse end; None never looks, which costs losses of all samples.

    Raises:
        SettingError: for a value that cannot be used.
    """

    steps: int = 1000
    learning_rate: float = 0.02
    batch_size: int = 128
    bends: int = 1
    allowed: float | None = None

    def __post_init__(self) -> None:
        check_counts(steps=self.steps, batch_size=self.batch_size, bends=self.bends)
        if not self.learning_rate > 0:
            raise SettingError(f"learning_rate is {self.learning_rate}", "give a positive number")
        if self.allowed is not None and not self.allowed >= 0:
            raise SettingError(f"allowed is {self.allowed}", "give a loss increase of at least 0, or None")


def learned_bends(
    surface: Surface, ends: tuple[Params, Params], parts: Parts, settings: Bend, generator: torch.Generator
) -> tuple[Params, ...]:
    r"""Minimise the mean loss over the curve, :math:`E_{t \sim U(0, 1)} \, L(\theta_b(t))`, over its bends b.

    Args:
        surface: gives the gradients.
        ends: of the curve; they stay.
        parts: the shape of the curve; as many parts as bends and ends.
        settings: how to learn.
        generator: the stream of shares and samples.

    Returns:
        The curve by its points, ends included; the bends start evenly on the straight line.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    check_alike(*ends)
    first, second = map(flatten, ends)
    starts = (interpolate(*ends, k / (settings.bends + 1)) for k in range(1, settings.bends + 1))
    bends = torch.stack([flatten(start) for start in starts])
    learner, falling = slowing_adam([bends], settings.learning_rate, settings.steps)
    level = math.inf if settings.allowed is None else max(_loss(surface, end) for end in ends) + settings.allowed

    def at(t: float) -> Params:
        share = parts(t)
        point = share[0] * first + torch.tensor(share[1:-1]).to(bends) @ bends + share[-1] * second
        return unflatten(point, ends[0])

    for step in range(settings.steps):
        if level < math.inf and step % _LOOK == 0 and all(_loss(surface, at(t)) <= level for t in _SHARES):
            break
        t = float(torch.rand((), generator=generator, dtype=torch.float64))
        some = some_samples(surface.size, settings.batch_size, generator)
        slope = flatten(surface.gradient(at(t), some))
        bends.grad = torch.outer(torch.tensor(parts(t)[1:-1]).to(bends), slope)
        learner.step()
        falling.step()
    return (ends[0], *(unflatten(bend.detach(), ends[0]) for bend in bends), ends[1])


def _loss(surface: Surface, point: Params) -> float:
    return float(surface.losses(point).double().mean())


def slowing_adam(weights: list[Tensor], learning_rate: float, steps: int) -> tuple[Optimizer, LRScheduler]:
    """Make an Adam whose learning rate falls to zero over the second half of its steps.

    Args:
        weights: what it moves.
        learning_rate: of the first half.
        steps: how many it will take.

    Returns:
        The optimiser and its schedule, both to be stepped.
    """
    learner = torch.optim.Adam(weights, learning_rate)
    return learner, LambdaLR(learner, lambda step: min(1.0, 2 - 2 * step / steps))


def some_samples(size: int, count: int, generator: torch.Generator) -> Tensor | None:
    """Draw samples without repetition.

    Args:
        size: how many there are.
        count: how many are wanted.
        generator: the stream of the draw.

    Returns:
        Their positions; None when all are taken.
    """
    return None if count >= size else torch.randperm(size, generator=generator)[:count]
