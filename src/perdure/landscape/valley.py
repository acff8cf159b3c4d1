"""Valley tracking: a low-loss path, step by step towards the target."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path as Folder

from perdure.core.errors import NonFiniteError
from perdure.core.random import stream
from perdure.landscape.barrier import estimate_standard_error
from perdure.landscape.direction import Corrector
from perdure.landscape.storage import TimedState
from perdure.landscape.surface import Surface
from perdure.landscape.tracking import Report, TrackingState, ValleySettings, track_in_chunks
from perdure.ops.params import Params, distance, interpolate

__all__ = ["track_valley", "track_valley_in_chunks"]


_RISE = 1.5
"""Smallest factor by which the level above the worse end rises, when it must rise."""
_PAYS = 0.9
"""Fraction of the previous loss below which the loss must fall for further corrections."""


@dataclass(frozen=True, eq=False)
class _Search:
    """What stays the same from step to step."""

    corrector: Corrector
    settings: ValleySettings
    whole: float
    floor: float
    hoped: float


@dataclass(frozen=True, eq=False)
class _Trial:
    """A point with its loss, and the largest loss checked on the way to it."""

    point: Params
    loss: float
    highest: float


_NOWHERE = _Trial({}, math.inf, math.inf)


def track_valley(
    surface: Surface,
    first: Params,
    second: Params,
    settings: ValleySettings | None = None,
    resume: TrackingState | None = None,
) -> TrackingState:
    """Track the valley between two points.

    Each step goes straight towards the target, at most twice as far as the step before, and then back down by a
    `Corrector`, which does not lead away. It is taken when its loss, of all samples, is below the level; else it is
    corrected further as long as that pays, and then tried with half the length. Every step comes closer to the target.
    When no step stays below the level, the level rises, if that is allowed, to the lowest loss that was tried or
    further.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: Target of the path.
        settings: Settings of the tracking; None for the defaults.
        resume: Earlier tracking between these ends to resume, as if uninterrupted. Limits count from
            the first start for evaluations, and from now for seconds.

    Returns:
        The path so far. Loss and distance keep their bounds at the points, and the loss where it was computed
        between them; for all else, see `barrier`.

    Raises:
        ShapeError: If the two ends do not fit.
        NonFiniteError: If the loss of an end, or a gradient, is NaN or infinite.

    Reference:
        ger2020reproducibility

    Example:
        >>> import torch
        >>> from perdure.core.batch import Batch
        >>> from perdure.landscape.surface import ModelLoss
        >>> surface = ModelLoss(torch.nn.Linear(1, 2, bias=False), Batch(torch.ones(2, 1), torch.tensor([0, 1])))
        >>> ends = [{"weight": torch.tensor([[x], [x]])} for x in (-1.0, 1.0)]
        >>> route = track_valley(surface, *ends)  # equal weights cost ln 2, however large they are
        >>> route.ended, round(route.level, 4), route.increase
        ('target', 0.6931, 0.0)
    """
    settings = settings or ValleySettings()
    until = time.monotonic() + settings.seconds
    ends = [surface.losses(point).double().cpu() for point in (first, second)]
    start, worse = float(ends[0].mean()), max(ends, key=lambda losses: float(losses.mean()))
    if not all(bool(losses.mean().isfinite()) for losses in ends):
        means = [float(losses.mean()) for losses in ends]
        raise NonFiniteError(f"the losses of the two ends are {means}", "give weights whose loss is finite")
    corrector = Corrector(surface, second, settings.corrections, settings.batch_size)
    noise = estimate_standard_error(worse, stream(0, "valley")) if settings.allowed is None else settings.allowed
    floor, whole = float(worse.mean()), distance(first, second)
    search = _Search(corrector, settings, whole, floor, floor + noise)
    state = resume or TrackingState(
        (first,), (start,), search.hoped, 0.0, "evaluations", settings.longest * whole, 2, 0
    )
    state = replace(state, ended="target", level=max(search.hoped, state.level))
    while state.ended == "target" and distance(state.points[-1], second) > 0:
        if state.evaluations >= settings.evaluations:
            return replace(state, ended="evaluations")
        if time.monotonic() >= until:
            return replace(state, ended="seconds")
        state = _take_step(search, state)
    return state


def track_valley_in_chunks(
    surface: Surface, ends: tuple[Params, Params], settings: ValleySettings, folder: Folder, report: Report
) -> TimedState[TrackingState]:
    """Track a valley and store it every few seconds; a stored tracking is resumed, with the same result.

    Args:
        surface: Loss surface.
        ends: Start and target.
        settings: Settings of the tracking; its seconds count over all calls.
        folder: Folder of this tracking alone.
        report: Callback after each chunk.

    Returns:
        The tracking at its end, or out of evaluations or time.

    Raises:
        ShapeError: If the two ends do not fit.
        NonFiniteError: If the loss of an end, or a gradient, is NaN or infinite.
        PartError: If a stored file is damaged.

    Reference:
        ger2020reproducibility
    """

    def track(evaluations: int, seconds: float, before: TrackingState | None) -> TrackingState:
        return track_valley(surface, *ends, replace(settings, evaluations=evaluations, seconds=seconds), before)

    return track_in_chunks(track, ends, settings.evaluations, settings.seconds, folder, report)


def _take_step(search: _Search, state: TrackingState) -> TrackingState:
    """Take one step: the first that stays below the level, or the easiest when the level may rise."""
    easiest, now = _NOWHERE, state
    for now, trial in _yield_tries(search, state):
        if trial.highest <= state.level:
            return _append(search, now, trial)
        easiest = min(easiest, trial, key=lambda item: item.highest)
    if search.settings.allowed is not None or easiest is _NOWHERE:
        return replace(now, ended="stalled")
    # Raise by at least half, since every rise costs a full series of failed steps; many small rises would cost more
    # than the little loss that they save.
    level = max(easiest.highest, search.floor + _RISE * (state.level - search.floor))
    return _append(search, replace(now, level=level), easiest)


def _yield_tries(search: _Search, state: TrackingState) -> Iterator[tuple[TrackingState, _Trial]]:
    """Yield the steps to try: the target when near, then steps from long to short."""
    # Doubling at most lets the step recover after a hard passage, without wasting losses on hopeless long steps.
    longest, least = (fraction * search.whole for fraction in (search.settings.longest, search.settings.least))
    far, stride = distance(state.points[-1], search.corrector.target), min(2 * state.stride, longest)
    if far <= longest:
        state, trial = _evaluate(search, state, search.corrector.target)
        yield state, trial
    while stride >= least:
        state, trial = _correct(search, replace(state, stride=stride), far)
        yield state, trial
        stride /= 2


def _correct(search: _Search, state: TrackingState, far: float) -> tuple[TrackingState, _Trial]:
    """Take a straight step, then correct until the loss is low enough or corrections gain too little."""
    settings, target, best = search.settings, search.corrector.target, _NOWHERE
    point = interpolate(state.points[-1], target, min(1.0, state.stride / far))
    # Corrections of total length p at a right angle to the way lose p^2 / (2 far) of the distance gained. With this
    # length, which decays linearly over the corrections, a round loses at most half the step.
    length = min(settings.longest * search.whole / 2, 2 * math.sqrt(state.stride * far) / (settings.corrections + 1))
    for k in range(settings.rounds):
        point = search.corrector.descend(point, length / 2**k, state.gradients)
        state = replace(state, gradients=state.gradients + settings.corrections)
        if far - distance(point, target) < settings.least * search.whole:
            break
        before = best.highest
        state, trial = _evaluate(search, state, point)
        best = min(best, trial, key=lambda item: item.highest)
        # A round that lowers the loss by less than a tenth costs more than a shorter step.
        if best.highest <= search.hoped or best.highest > _PAYS * before:
            break
    return state, best


def _evaluate(search: _Search, state: TrackingState, point: Params) -> tuple[TrackingState, _Trial]:
    """Compute the loss of a point and between it and the last one; NaN counts as infinite."""
    pieces = search.settings.between + 1
    way = [interpolate(state.points[-1], point, k / pieces) for k in range(1, pieces)]
    means = (float(search.corrector.surface.losses(place).double().mean()) for place in (*way, point))
    losses = [mean if math.isfinite(mean) else math.inf for mean in means]
    return replace(state, evaluations=state.evaluations + pieces), _Trial(point, losses[-1], max(losses))


def _append(search: _Search, state: TrackingState, trial: _Trial) -> TrackingState:
    return replace(
        state,
        points=(*state.points, trial.point),
        losses=(*state.losses, trial.loss),
        increase=max(state.increase, trial.highest - search.floor),
    )
