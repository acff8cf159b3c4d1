"""Low-loss curves between fixed ends: Bezier curves and polygonal chains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import comb
from typing import Generic, TypeVar

import torch
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.landscape.learning import (
    DecayingAdam,
    LearningState,
    compute_mean_loss,
    draw_samples,
    learn_path,
    make_initial_state,
    split_points,
)
from perdure.landscape.path import Chain, Path
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, check_alike, flatten, interpolate, unflatten

__all__ = [
    "Bezier",
    "CurveLearner",
    "CurveSettings",
    "Parts",
    "fit_bezier",
    "fit_polychain",
    "make_bezier_learner",
    "make_polychain_learner",
]

Parts = Callable[[float], tuple[float, ...]]
"""From a fraction of the curve to the weights of first end, bends and second end in its point."""

Curve = TypeVar("Curve", bound=Path)

_CHECK_EVERY, _CHECK_AT = 50, (0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875)
"""Steps between checks of the loss along a curve, and where to check; the usual maximum first, to stop early."""


@dataclass(frozen=True)
class CurveSettings:
    """How bends are learned: Adam, whose learning rate falls to zero over the second half.

    Args:
        steps: Steps of Adam; each takes one gradient.
        learning_rate: Learning rate of the first half.
        batch_size: Samples of one step.
        bends: Number of free points between the ends.
        allowed: Largest increase in nats over the loss of the worse end with which learning ends early, checked every
            50 steps at a few points with losses of all samples; None for no check.

    Raises:
        SettingError: For a value that cannot be used.
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


@dataclass(frozen=True, eq=False)
class CurveLearner(Generic[Curve]):
    r"""Minimise the mean loss over a curve, :math:`E_{t \sim U(0, 1)} \, L(\theta_b(t))`, over its bends b.

    Args:
        surface: Loss surface.
        ends: Fixed ends of the curve.
        settings: Settings of the learning.
        parts: Shape of the curve; as many parts as bends and ends.
        curve: Makes the path of all points, ends included.

    Raises:
        ShapeError: If the two ends do not fit.

    Reference:
        garipov2018loss
    """

    surface: Surface
    ends: tuple[Params, Params]
    settings: CurveSettings
    parts: Parts
    curve: Callable[[tuple[Params, ...]], Curve]

    def __post_init__(self) -> None:
        check_alike(*self.ends)

    @property
    def steps(self) -> int:
        """How many steps it takes, at most."""
        return self.settings.steps

    @property
    def gradients(self) -> int:
        """How many gradients it takes, at most: one for each step."""
        return self.settings.steps

    @property
    def batch_size(self) -> int:
        """Samples of a gradient."""
        return self.settings.batch_size

    def begin(self, generator: torch.Generator) -> LearningState:
        """Space the bends evenly on the straight line.

        Args:
            generator: Generator of positions and samples, not advanced.

        Returns:
            The state before the first step.
        """
        state = make_initial_state(self.ends, self.settings.bends, generator)
        if self.settings.allowed is None:
            return state
        worse = max(compute_mean_loss(self.surface, end) for end in self.ends)
        return replace(state, level=worse + self.settings.allowed, evaluations=2)

    def advance(self, state: LearningState, until: int) -> LearningState:
        """Continue until the loss along the curve is low enough or all steps are taken.

        Args:
            state: State to continue from; not modified.
            until: Number of steps in all.

        Returns:
            The state there.

        Raises:
            NonFiniteError: If a gradient is NaN or infinite.
        """
        until = min(until, self.steps)
        while state.steps < until and not state.ended:
            state = self._check_loss(state)
            state = (
                state
                if state.ended
                else self._take_steps(state, min(until, (state.steps // _CHECK_EVERY + 1) * _CHECK_EVERY))
            )
        return state

    def path(self, state: LearningState) -> Curve:
        """Return the current curve.

        Args:
            state: State of the learning.

        Returns:
            The curve; its ends are those that were given.
        """
        return self.curve(split_points(state, self.ends))

    def _check_loss(self, state: LearningState) -> LearningState:
        """Check the curve for a loss above the level, every few steps and only with `allowed`."""
        if self.settings.allowed is None or state.steps % _CHECK_EVERY:
            return state
        for count, t in enumerate(_CHECK_AT, state.evaluations + 1):
            if not compute_mean_loss(self.surface, self._at(state, state.points[1:-1], t)) <= state.level:
                return replace(state, evaluations=count)
        return replace(state, evaluations=state.evaluations + len(_CHECK_AT), ended=True)

    def _take_steps(self, state: LearningState, until: int) -> LearningState:
        """Take steps."""
        settings, bends, generator = self.settings, state.points[1:-1].clone(), torch.Generator()
        generator.set_state(state.random)
        learner = DecayingAdam(bends, state.moments, settings.learning_rate, settings.steps, state.steps)
        for _ in range(state.steps, until):
            t = float(torch.rand((), generator=generator, dtype=torch.float64))
            part = draw_samples(self.surface.size, settings.batch_size, generator)
            slope = flatten(self.surface.gradient(self._at(state, bends, t), part))
            learner.step(torch.outer(torch.tensor(self.parts(t)[1:-1]).to(bends), slope))
        return replace(
            state,
            points=torch.cat([state.points[:1], bends, state.points[-1:]]),
            moments=learner.moments,
            random=generator.get_state(),
            steps=until,
            gradients=until,
            ended=until == settings.steps,
        )

    def _at(self, state: LearningState, bends: Tensor, t: float) -> Params:
        """Return a point of the curve with these bends."""
        weights = self.parts(t)
        between = torch.tensor(weights[1:-1]).to(bends) @ bends
        return unflatten(weights[0] * state.points[0] + between + weights[-1] * state.points[-1], self.ends[0])


@dataclass(frozen=True, eq=False)
class Bezier:
    """A Bezier curve; with one control point it is quadratic.

    Args:
        points: First end, control points, second end.

    Raises:
        SettingError: If there is no control point.

    Example:
        >>> curve = Bezier(tuple({"w": torch.tensor(at)} for at in ([0.0, 0.0], [1.0, 2.0], [2.0, 0.0])))
        >>> curve.at(0.5)["w"].tolist()
        [1.0, 1.0]
    """

    points: tuple[Params, ...]

    def __post_init__(self) -> None:
        if len(self.points) < 3:
            raise SettingError(f"there are {len(self.points)} points", "give two ends with a control point between")

    def at(self, t: float) -> Params:
        """Return the weights at a parameter of the curve; its speed is not constant (see `space_evenly`).

        Args:
            t: From 0 to 1.

        Returns:
            A point, for one control point (1 - t)^2 first + 2 t (1 - t) control + t^2 second; the ends exactly.

        Raises:
            SettingError: For a parameter outside of the curve.
        """
        if not 0 <= t <= 1:
            raise SettingError(f"t is {t}", "give a fraction of the path, from 0 to 1")
        points = self.points
        while len(points) > 1:
            points = tuple(interpolate(item, two, t) for item, two in pairwise(points))
        return points[0]


def fit_bezier(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: CurveSettings | None = None
) -> Bezier:
    """Learn a low-loss Bezier curve between two points.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: End of the path.
        generator: Generator of positions and samples.
        settings: Settings of the learning; None for the defaults.

    Returns:
        The curve.

    Raises:
        ShapeError: If the two ends do not fit.
        NonFiniteError: If a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    return learn_path(make_bezier_learner(surface, first, second, settings), generator)


def make_bezier_learner(
    surface: Surface, first: Params, second: Params, settings: CurveSettings | None = None
) -> CurveLearner[Bezier]:
    """Make the learner of a low-loss Bezier curve.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: End of the path.
        settings: Settings of the learning; None for the defaults.

    Returns:
        The learner, which can be interrupted and resumed.

    Raises:
        ShapeError: If the two ends do not fit.
    """
    settings = settings or CurveSettings()
    return CurveLearner(surface, (first, second), settings, partial(_compute_bernstein, settings.bends + 1), Bezier)


def _compute_bernstein(degree: int, t: float) -> tuple[float, ...]:
    """Return the Bernstein polynomials of a degree."""
    return tuple(comb(degree, k) * t**k * (1 - t) ** (degree - k) for k in range(degree + 1))


def fit_polychain(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: CurveSettings | None = None
) -> Chain:
    """Learn a low-loss chain of straight pieces between two points: one more than it has bends.

    All pieces get the same attention while the bends are learned, however long they are.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: End of the path.
        generator: Generator of positions and samples.
        settings: Settings of the learning; None for the defaults.

    Returns:
        The chain.

    Raises:
        ShapeError: If the two ends do not fit.
        NonFiniteError: If a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    return learn_path(make_polychain_learner(surface, first, second, settings), generator)


def make_polychain_learner(
    surface: Surface, first: Params, second: Params, settings: CurveSettings | None = None
) -> CurveLearner[Chain]:
    """Make the learner of a low-loss chain.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: End of the path.
        settings: Settings of the learning; None for the defaults.

    Returns:
        The learner, which can be interrupted and resumed.

    Raises:
        ShapeError: If the two ends do not fit.
    """
    settings = settings or CurveSettings()
    return CurveLearner(surface, (first, second), settings, partial(_compute_hats, settings.bends + 1), Chain)


def _compute_hats(pieces: int, t: float) -> tuple[float, ...]:
    """Return the hat functions of a chain."""
    return tuple(max(0.0, 1 - abs(pieces * t - k)) for k in range(pieces + 1))
