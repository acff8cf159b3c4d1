"""Valley tracking: a low-loss path, step by step towards the target."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import NonFiniteError, SettingError
from perdure.landscape.direction import direction
from perdure.landscape.path import Chain
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, difference, distance, flatten, interpolate, unflatten

__all__ = ["Tracked", "Valley", "valley"]


@dataclass(frozen=True)
class Valley:
    """How to track a valley.

    Args:
        allowed: the most that the loss may lie above that of the worse end, in nats; None lets it rise where there is
            no other way, and gives what the path needed, so that the increase is a result.
        longest: the longest step, as a share of the distance between the ends.
        least: what every step must take off the distance to the target, as a share of that between the ends; so
            there are at most 1 / least steps, and a path that comes no closer has stalled.
        between: how many points on the piece of each step must keep the bound as well as its end; each costs a loss.
        descents: what to try at each step, in this order: the slopes asked of `direction`.
        evaluations: losses of points after which no further step begins.
        seconds: time after which no further step begins.

    Raises:
        SettingError: for a value that cannot be used.
    """

    allowed: float | None = None
    longest: float = 0.02
    least: float = 1e-3
    between: int = 0
    descents: tuple[float, ...] = (0.5, 0.0, -0.25, -0.5, -0.75, -1.0)
    evaluations: int = 10_000
    seconds: float = math.inf

    def __post_init__(self) -> None:
        check_counts(evaluations=self.evaluations, descents=len(self.descents), between=self.between + 1)
        if not 0 < self.least < self.longest <= 1:
            raise SettingError(
                f"least is {self.least} and longest is {self.longest}",
                "give 0 < least < longest <= 1, for example 0.001 and 0.02",
            )
        if self.allowed is not None and not self.allowed >= 0:
            raise SettingError(f"allowed is {self.allowed}", "give a loss increase of at least 0, or None")
        if not all(-1 <= descent < 1 for descent in self.descents):
            raise SettingError(f"descents are {self.descents}", "give shares of at least -1 and below 1")


@dataclass(frozen=True, eq=False)
class Tracked:
    """How far the tracking of a valley came.

    Args:
        points: of the path, from the start; the target is the last one when it was reached.
        losses: the mean loss at each.
        level: the loss that no point lies above, nor any of those looked at between them.
        increase: how much that is above the loss of the worse end: the loss increase that the path needed.
        ended: why it ended: at the target, stalled, or out of evaluations or time.
        stride: length of the last step.
        evaluations: losses of points that were computed, in all.
        gradients: gradients that were computed, in all.
    """

    points: tuple[Params, ...]
    losses: tuple[float, ...]
    level: float
    increase: float
    ended: Literal["target", "stalled", "evaluations", "seconds"]
    stride: float
    evaluations: int
    gradients: int

    @property
    def path(self) -> Chain:
        """The points, joined by straight pieces; a tracking that took no step has none."""
        return Chain(self.points)


@dataclass(frozen=True, eq=False)
class _Search:
    """What stays the same from step to step."""

    surface: Surface
    target: Params
    settings: Valley
    whole: float
    floor: float

    def loss(self, point: Params) -> float:
        return float(self.surface.losses(point).double().mean())


@dataclass(frozen=True, eq=False)
class _Look:
    """A point with its loss, and the highest that was seen on the way to it."""

    point: Params
    loss: float
    highest: float


def valley(
    surface: Surface, first: Params, second: Params, settings: Valley | None = None, resume: Tracked | None = None
) -> Tracked:
    """Track the valley between two points.

    Each step goes in the `direction` that turns least from the target among those that fall steeply enough, as far as
    the loss stays below the level and at most twice as far as the step before. Every step comes closer to the target.
    When no step stays below the level, the level rises, if that is allowed, to the loss of that one of the steps tried
    that rises least for the distance it takes off.

    Args:
        surface: gives losses and gradients.
        first: the start.
        second: the target.
        settings: how to track; None for the defaults.
        resume: an earlier tracking between these ends to go on from; as if it had never ended. Budgets count from
            the first start for evaluations, and from now for seconds.

    Returns:
        The path so far. Loss and distance keep their bounds at the points, and the loss where it was looked at
        between them; for all else, see `barrier`.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when the loss of an end, or a gradient, is NaN or infinite.

    Reference:
        ger2020reproducibility

    Example:
        >>> import torch
        >>> from perdure.core.batch import Batch
        >>> from perdure.landscape.surface import ModelLoss
        >>> surface = ModelLoss(torch.nn.Linear(1, 2, bias=False), Batch(torch.ones(2, 1), torch.tensor([0, 1])))
        >>> ends = [{"weight": torch.tensor([[x], [x]])} for x in (-1.0, 1.0)]
        >>> found = valley(surface, *ends)  # equal weights cost ln 2, however large they are
        >>> found.ended, round(found.level, 4), found.increase
        ('target', 0.6931, 0.0)
    """
    settings = settings or Valley()
    until = time.monotonic() + settings.seconds
    ends = [float(surface.losses(point).double().mean()) for point in (first, second)]
    if not all(map(math.isfinite, ends)):
        raise NonFiniteError(f"the losses of the two ends are {ends}", "give weights whose loss is finite")
    search = _Search(surface, second, settings, distance(first, second), max(ends))
    level = search.floor + (settings.allowed or 0.0)
    state = resume or Tracked((first,), (ends[0],), level, 0.0, "evaluations", settings.longest * search.whole, 2, 0)
    state = replace(state, ended="target", level=max(level, state.level))
    while state.ended == "target" and distance(state.points[-1], second) > 0:
        if state.evaluations >= settings.evaluations:
            return replace(state, ended="evaluations")
        if time.monotonic() >= until:
            return replace(state, ended="seconds")
        state = _step(search, state)
    return state


def _step(search: _Search, state: Tracked) -> Tracked:
    """Take one step: the first that stays below the level, or the easiest when the level may rise."""
    here = state.points[-1]
    to = difference(here, search.target)
    if float(to.norm()) <= search.settings.longest * search.whole:
        state, found = _looked(search, state, search.target)
        if found.highest <= state.level or search.settings.allowed is None:
            return _moved(search, state, found)
    gradient = flatten(search.surface.gradient(here)).double()
    state = replace(state, gradients=state.gradients + 1)
    best, stride, easiest = _Look(here, math.inf, math.inf), state.stride, math.inf
    for move in _moves(search, state, to, gradient):
        state, found = _looked(search, state, unflatten(flatten(here).double() + move, here))
        rise = (found.highest - state.level) / (float(to.norm()) - float((to - move).norm()))
        if found.highest <= state.level or rise < easiest:
            best, stride, easiest = found, float(move.norm()), rise
        if found.highest <= state.level:
            break
    if best.highest > state.level and (search.settings.allowed is not None or best.highest == math.inf):
        return replace(state, ended="stalled")
    return _moved(search, replace(state, stride=stride), best)


def _looked(search: _Search, state: Tracked, point: Params) -> tuple[Tracked, _Look]:
    """Look at the loss of a point, and between it and the last one."""
    pieces = search.settings.between + 1
    way = [interpolate(state.points[-1], point, k / pieces) for k in range(1, pieces)]
    losses = [search.loss(one) for one in (*way, point)]
    return replace(state, evaluations=state.evaluations + pieces), _Look(point, losses[-1], max(losses))


def _moves(search: _Search, state: Tracked, to: Tensor, gradient: Tensor) -> Iterator[Tensor]:
    """Give the moves to try: in each direction from long to short, as long as they come closer by what they must."""
    settings, far = search.settings, float(to.norm())
    for descent in settings.descents:
        way = direction(to, gradient, descent)
        length = min(2 * state.stride, settings.longest * search.whole, float(way @ to))
        while length > 0 and far - float((to - length * way).norm()) >= settings.least * search.whole:
            yield length * way
            length /= 2


def _moved(search: _Search, state: Tracked, found: _Look) -> Tracked:
    return replace(
        state,
        points=(*state.points, found.point),
        losses=(*state.losses, found.loss),
        level=max(state.level, found.highest),
        increase=max(state.increase, found.highest - search.floor),
    )
