"""Curves that are learned by steps: how far a learning came, and how it goes on as if it had never been cut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.landscape.path import Path
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, flatten, interpolate, unflatten

__all__ = ["Learned", "Learner", "begun", "learn", "mean_loss", "some_samples", "unjoined"]


@dataclass(frozen=True, eq=False)
class Learned:
    """How far the learning of a curve came; all that its next step depends on.

    Args:
        points: the weights of first end, points between and second end, each in one row.
        shares: how much of the way is done at each.
        moments: running means of gradient and squared gradient that Adam has of the points between.
        random: where the stream of draws stands.
        level: learning ends once the loss is no higher; minus infinity never ends it early.
        steps: that were taken.
        evaluations: losses of points that were computed.
        gradients: that were computed.
        ended: whether no step is left.
    """

    points: Float[Tensor, "point weight"]
    shares: Float[Tensor, " point"]
    moments: Float[Tensor, "2 between weight"]
    random: Int[Tensor, " byte"]
    level: float = -math.inf
    steps: int = 0
    evaluations: int = 0
    gradients: int = 0
    ended: bool = False


Curve = TypeVar("Curve", bound=Path, covariant=True)


class Learner(Protocol[Curve]):
    """A way to learn a curve, which can be cut between any two steps."""

    @property
    def steps(self) -> int:
        """How many steps it takes, at most."""
        ...

    @property
    def gradients(self) -> int:
        """How many gradients it takes, at most."""
        ...

    @property
    def batch_size(self) -> int:
        """Samples of a gradient."""
        ...

    @property
    def surface(self) -> Surface:
        """What the curve is laid over."""
        ...

    def begin(self, generator: torch.Generator) -> Learned:
        """Take no step yet; the stream of draws is that of the generator, which is not advanced."""
        ...

    def advance(self, state: Learned, until: int) -> Learned:
        """Go on from a state, which is not written to, until so many steps have been taken in all."""
        ...

    def path(self, state: Learned) -> Curve:
        """Give the curve as it is now."""
        ...


def learn(learner: Learner[Curve], generator: torch.Generator) -> Curve:
    """Learn a curve in one go.

    Args:
        learner: how.
        generator: the stream of draws, advanced by them.

    Returns:
        The curve.
    """
    state = learner.advance(learner.begin(generator), learner.steps)
    generator.set_state(state.random)
    return learner.path(state)


def begun(ends: tuple[Params, Params], between: int, generator: torch.Generator) -> Learned:
    """Give the state before the first step: points evenly on the straight line.

    Args:
        ends: of the curve.
        between: how many points there are between them.
        generator: the stream of draws, not advanced.

    Returns:
        The state; Adam knows nothing.
    """
    inner = (interpolate(*ends, k / (between + 1)) for k in range(1, between + 1))
    points = torch.stack([flatten(point) for point in (ends[0], *inner, ends[1])])
    shares = torch.linspace(0, 1, len(points), dtype=torch.float64)
    return Learned(points, shares, points.new_zeros(2, *points[1:-1].shape), generator.get_state())


def unjoined(state: Learned, ends: tuple[Params, Params]) -> tuple[Params, ...]:
    """Cut the points of a state into weights.

    Args:
        state: of a learning.
        ends: of the curve; they are given back as they are.

    Returns:
        The points, ends included.
    """
    return (ends[0], *(unflatten(point, ends[0]) for point in state.points[1:-1]), ends[1])


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


def mean_loss(surface: Surface, point: Params) -> float:
    """Average the loss of all samples at a point.

    Args:
        surface: the loss.
        point: the weights.

    Returns:
        The mean.
    """
    return float(surface.losses(point).double().mean())
