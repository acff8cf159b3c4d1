"""Valley tracking as in its published code, for comparison."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path as Folder

import torch
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.landscape.learning import compute_mean_loss, copy_moments, restore_adam
from perdure.landscape.storage import TimedState
from perdure.landscape.surface import Surface
from perdure.landscape.tracking import PublishedState, Report, TrackingState, track_in_chunks
from perdure.ops.params import Params, difference, distance, flatten, interpolate, unflatten

__all__ = ["PublishedSettings", "track_published_in_chunks", "track_published_valley"]

_NEAR = 5.0
"""Distance to the target below which no descent is required."""
_CLIP = 10.0
"""Largest absolute value in a gradient."""
_FIRST_LENGTH, _SHRINK, _LAST_LENGTH = 0.5, 0.8, 1e-5
"""First length, factor and last length of the search along a direction."""
_SETTLED, _RATE, _DECAY = 1e-5, 0.5, 0.95
"""Search for a direction: change of the cosine at its end, learning rate of the multiplier, its decay."""


@dataclass(frozen=True)
class PublishedSettings:
    """The settings of the published code, with budgets, which it has not.

    Args:
        allowed: Largest excess of the loss over that of the worse end, in nats.
        share: Fraction of the straight line for each step along it.
        slope: Required descent in loss per distance; it can exceed the norm of the gradient.
        outer: Most gradients for one direction, and the most further rounds with the last of them.
        inner: Steps of Adam for each of them.
        batch_size: Samples of a gradient.
        close: Distance to the target at which the path is at its end.
        evaluations: Losses of points after which no further step begins.
        seconds: Time after which no further step begins.

    Raises:
        SettingError: For a value that cannot be used.
    """

    allowed: float
    share: float = 0.01
    slope: float = 0.5
    outer: int = 20
    inner: int = 2000
    batch_size: int = 512
    close: float = 1e-3
    evaluations: int = 10_000
    seconds: float = math.inf

    def __post_init__(self) -> None:
        check_counts(outer=self.outer, inner=self.inner, batch_size=self.batch_size, evaluations=self.evaluations)
        if not (self.allowed >= 0 and 0 < self.share <= 1 and self.close > 0):
            raise SettingError(
                f"allowed is {self.allowed}, share is {self.share}, close is {self.close}",
                "give allowed >= 0, 0 < share <= 1 and close > 0",
            )


@dataclass(eq=False)
class _Solver:
    """The search for directions, whose Adam keeps its moments from one to the next."""

    surface: Surface
    settings: PublishedSettings
    generator: torch.Generator
    way: Tensor
    learner: torch.optim.Adam
    gradients: int = 0

    def direction(self, point: Params, target: Params, slope: float) -> Tensor:
        """Search a unit vector towards the target that descends, by ascent in the multiplier."""
        to, gradient = difference(point, target), torch.zeros(0)
        with torch.no_grad():
            self.way.copy_(flatten(point).double())
        multiplier, rate, before, settled = 1.0, _RATE, math.inf, False
        for k in range(2 * self.settings.outer):
            settled = settled or k >= self.settings.outer
            gradient = gradient if settled else self._gradient(point)
            self._descend(to, gradient, multiplier)
            way = self.way.detach()
            cosine, steep = (float(way @ other / way.norm()) for other in (to / to.norm(), gradient))
            settled = settled or abs(cosine - before) <= _SETTLED
            if settled and steep + slope <= 0:
                break
            multiplier, rate, before = max(0.0, multiplier + rate * (steep + slope)), rate * _DECAY, cosine
        result: Tensor = way / way.norm()
        return result

    def _gradient(self, point: Params) -> Tensor:
        self.gradients += 1
        part = torch.randperm(self.surface.size, generator=self.generator)[: self.settings.batch_size]
        return flatten(self.surface.gradient(point, part)).double().clamp(-_CLIP, _CLIP)

    def _descend(self, to: Tensor, gradient: Tensor, multiplier: float) -> None:
        for _ in range(self.settings.inner):
            self.learner.zero_grad()
            cosine = torch.cosine_similarity(self.way, to, dim=0)
            torch.autograd.backward(multiplier * (self.way @ gradient) - cosine, inputs=[self.way])
            self.learner.step()


def track_published_valley(
    surface: Surface,
    first: Params,
    second: Params,
    settings: PublishedSettings,
    start: torch.Generator | PublishedState,
    clock: Callable[[], float] = time.monotonic,
) -> PublishedState:
    """Track a valley in straight steps, and around where the loss is too high, as published.

    The search for a direction does not use the closed-form solution of its problem, `find_direction`; the point at the
    end of a search along the direction is accepted even when its loss is too high; and the distance may grow.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: Target of the path.
        settings: Settings of the published code.
        start: Generator of the samples of gradients; or an earlier tracking between these ends to resume, as if
            it had never ended. Budgets count from the first start for evaluations, and from now for seconds.
        clock: Clock of the time limit, for example that of the processor.

    Returns:
        The path so far. Its `increase` may be more than was allowed.

    Raises:
        ShapeError: If the two ends do not fit.
        NonFiniteError: If a gradient is NaN or infinite.

    Reference:
        ger2020reproducibility

    Notes:
        Gradients are taken without dropout. Where the code repeats its last gradient, without limit, until the
        direction descends as required, this search ends after `outer` more rounds. It minimises minus the cosine plus
        the multiplier times <g, d> over vectors of any length; from a short start d shrinks to nothing, where the
        cosine outweighs the required slope.
    """
    until, ends = clock() + settings.seconds, (compute_mean_loss(surface, first), compute_mean_loss(surface, second))
    if isinstance(start, torch.Generator):
        solver, state = _begin(surface, settings, start, first, ends)
    else:
        solver, state = _resume(surface, settings, start), replace(start, ended="target")
    while distance(state.points[-1], second) > settings.close:
        if state.evaluations >= settings.evaluations:
            state = replace(state, ended="evaluations")
            break
        if clock() >= until:
            state = replace(state, ended="seconds")
            break
        state = _take_step(solver, state, second, max(ends))
    moves = int(solver.learner.state[solver.way]["step"])
    moments = copy_moments(solver.learner, solver.way)
    return replace(state, moments=moments, moves=moves, random=solver.generator.get_state())


def track_published_in_chunks(
    surface: Surface,
    ends: tuple[Params, Params],
    settings: PublishedSettings,
    generator: torch.Generator,
    folder: Folder,
    report: Report,
) -> TimedState[TrackingState]:
    """Track a valley as published, and store it every few seconds, as `valley_in_chunks` does.

    Args:
        surface: Loss surface.
        ends: Start and target.
        settings: Settings of the published code; its seconds count over all calls.
        generator: Generator of the samples of one that begins.
        folder: Folder of this tracking alone.
        report: Callback after each chunk with level and distance; accepted points may lie above the level.

    Returns:
        The tracking at its end, or out of evaluations or time.

    Raises:
        ShapeError: If the two ends do not fit.
        NonFiniteError: If a gradient is NaN or infinite.
        PartError: If a stored file is damaged.

    Reference:
        ger2020reproducibility
    """

    def track(evaluations: int, seconds: float, before: TrackingState | None) -> TrackingState:
        budget = replace(settings, evaluations=evaluations, seconds=seconds)
        return track_published_valley(
            surface, *ends, budget, before if isinstance(before, PublishedState) else generator
        )

    return track_in_chunks(track, ends, settings.evaluations, settings.seconds, folder, report)


def _begin(
    surface: Surface, settings: PublishedSettings, generator: torch.Generator, first: Params, ends: tuple[float, float]
) -> tuple[_Solver, PublishedState]:
    way = flatten(first).double().requires_grad_()
    nothing = torch.zeros(2, len(way), dtype=way.dtype, device=way.device)
    state = PublishedState(
        (first,),
        (ends[0],),
        level=max(ends) + settings.allowed,
        increase=0.0,
        ended="target",
        stride=0.0,
        evaluations=2,
        gradients=0,
        base=0,
        share=0.0,
        slope=settings.slope,
        moments=nothing,
        moves=0,
        random=generator.get_state(),
    )
    return _Solver(surface, settings, generator, way, restore_adam(way, nothing, 0)), state


def _resume(surface: Surface, settings: PublishedSettings, state: PublishedState) -> _Solver:
    generator, way = torch.Generator(), flatten(state.points[-1]).double().requires_grad_()
    generator.set_state(state.random)
    learner = restore_adam(way, state.moments, state.moves)
    return _Solver(surface, settings, generator, way, learner, state.gradients)


def _take_step(solver: _Solver, state: PublishedState, target: Params, floor: float) -> PublishedState:
    """Go straight on, or around where the loss is too high there."""
    point, settings = state.points[-1], solver.settings
    slope, share = 0.0 if distance(point, target) < _NEAR else state.slope, min(1.0, state.share + settings.share)
    ahead = interpolate(state.points[state.base], target, share)
    state, loss = _evaluate(solver.surface, replace(state, slope=slope, share=share), ahead)
    if loss > state.level:
        way = solver.direction(point, target, slope)
        state, ahead, loss = _search_along(solver.surface, replace(state, gradients=solver.gradients), way)
        state = replace(state, base=len(state.points), share=0.0)
    losses = (*state.losses, loss)
    increase = max(0.0, max(losses) - floor)
    stride = distance(point, ahead)
    return replace(state, points=(*state.points, ahead), losses=losses, increase=increase, stride=stride)


def _search_along(surface: Surface, state: PublishedState, way: Tensor) -> tuple[PublishedState, Params, float]:
    """Shorten the step until its loss is low enough, or it is very short."""
    start, length = state.points[-1], _FIRST_LENGTH
    while True:
        point = unflatten(flatten(start).double() + length * way, start)
        state, loss = _evaluate(surface, state, point)
        length *= _SHRINK
        if loss <= state.level or length < _LAST_LENGTH:
            return state, point, loss


def _evaluate(surface: Surface, state: PublishedState, point: Params) -> tuple[PublishedState, float]:
    return replace(state, evaluations=state.evaluations + 1), compute_mean_loss(surface, point)
