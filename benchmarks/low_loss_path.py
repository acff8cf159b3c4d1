"""Low-loss paths between two trainings: ours against the published valley tracking, by barrier, passes and time."""

from __future__ import annotations

import time
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.harness import Row
from benchmarks.path_pairs import PAIRS, on_pairs
from benchmarks.path_task import ALLOWED, POINTS, Arm, Task, quick_arms, task_of
from perdure.core.random import stream
from perdure.landscape.align import align
from perdure.landscape.band import BandSettings, relax_band
from perdure.landscape.direction import find_direction
from perdure.landscape.path import Chain, Path
from perdure.landscape.published import PublishedSettings, track_published_valley
from perdure.landscape.surface import CountedSurface
from perdure.landscape.symmetry import find_symmetries
from perdure.landscape.tracking import TrackingState, ValleySettings
from perdure.landscape.valley import track_valley
from perdure.ops.params import Params, distance, interpolate
from perdure.training.predict import predict

BUDGET = 1800.0
"""Seconds that the target gives to the published tracking; of the processor, so that other work on the machine takes
nothing off them. On an idle machine these are seconds of wall time."""
SHARE = 1 / 20
BANDED = BandSettings(pivots=7, steps=60, learning_rate=0.005, batch_size=64, insertions=1)
TRACKED = ValleySettings(longest=0.05, least=0.005, between=1)
BETWEEN = 4
"""Points on each piece of the tracked path where the bound is checked, next to its ends; the tracking checks one."""
PROBLEMS, SIZE, OUTER, INNER = 1000, 40, 20, 300
"""Of the direction problems; the published inner loop has 2000 steps, of which the first are compared."""


def run(budget: float = BUDGET) -> list[Row]:
    torch.set_num_threads(1)
    task = task_of(PAIRS[0])
    rows = [*_optimality(), _alignment(task)]
    states: list[TrackingState] = []
    arms, tracked = _ours(task)
    peer = task.arm(lambda surface: _track_published(surface, task, budget, states))
    rows += _published_rows(task, peer, states[0], budget)
    rows += [row for name, arm in arms.items() for row in _arm_rows(name, arm, peer)]
    return [*rows, *_best(arms, peer, budget), *_bound(task, tracked), *on_pairs()]


def _ours(task: Task) -> tuple[dict[str, Arm], TrackingState]:
    a, b, tracked = task.first, task.second, []

    def track(surface: CountedSurface) -> Path:
        tracked.append(track_valley(surface, a, b, TRACKED))
        return _complete(tracked[0], b)

    slow = {
        "valley": task.arm(track),
        "band": task.arm(lambda surface: relax_band(surface, a, b, stream(0, "path"), BANDED)),
    }
    return quick_arms(task) | slow, tracked[0]


def _complete(tracked: TrackingState, target: Params) -> Chain:
    """Go the rest of the way straight."""
    return Chain((*tracked.points, target)) if distance(tracked.points[-1], target) > 0 else tracked.path


def _track_published(surface: CountedSurface, task: Task, budget: float, states: list[TrackingState]) -> Path:
    """Track as published; a path that did not arrive goes the rest of the way straight."""
    settings = PublishedSettings(ALLOWED, batch_size=256, evaluations=10**9, seconds=budget)
    generator, ends = stream(0, "published"), (task.first, task.second)
    states.append(track_published_valley(surface, *ends, settings, generator, time.process_time))
    return _complete(states[0], task.second)


def _published_rows(task: Task, peer: Arm, tracked: TrackingState, budget: float) -> list[Row]:
    """Return the rows of the published tracking: its time and the distance that is left."""
    left = distance(tracked.points[-1], task.second) / distance(task.first, task.second)
    floor = max(peer.barrier.losses[0], peer.barrier.losses[-1])
    case = f"{len(tracked.points)} points, {tracked.gradients} gradients, {tracked.evaluations} losses, {tracked.ended}"
    over = sum(loss > floor + ALLOWED for loss in tracked.losses)
    most = max(0.0, max(tracked.losses) - floor)
    return [
        Row("published: seconds given", "as in the target", budget, BUDGET, budget / BUDGET, "= 1", budget == BUDGET),
        Row("published: fraction of the distance left", case, left, None, left, "none", None, ""),
        Row("published: increase at its points so far", f"{ALLOWED} allowed", most, None, most, "none", None, "nats"),
        Row(
            "published: points above what was allowed", f"of {len(tracked.losses)}", over, None, over, "none", None, ""
        ),
    ]


def _arm_rows(name: str, arm: Arm, peer: Arm) -> list[Row]:
    """Compare an arm with the published tracking, whose barrier counts the rest of the way as straight."""
    noise = f"{name}, noise {arm.barrier.noise:.2g}, evaluated at {POINTS} points"
    return [
        _compare("barrier: height", noise, arm.barrier.height, peer.barrier.height, "nats"),
        _compare("barrier: increase", name, arm.barrier.increase, peer.barrier.increase, "nats"),
        _compare("minibatch passes", name, arm.passes, peer.passes, "passes of 256"),
        _compare("wall time", name, arm.seconds, peer.seconds, "s"),
        _compare("processor time", name, arm.busy, peer.busy, "s"),
    ]


def _compare(what: str, case: str, ours: float, peer: float, unit: str) -> Row:
    return Row(what, case, ours, peer, ours / peer, "none", None, unit)


def _best(arms: dict[str, Arm], peer: Arm, budget: float) -> list[Row]:
    """Take the arm that is quickest among those whose barrier is no higher; the straight line as it is is none.

    The target is about the best; the best of those that take gradients is a row as well.
    """
    reached = {name: arm for name, arm in arms.items() if arm.barrier.height <= peer.barrier.height}
    reached.pop("straight line", None)
    if not reached:
        return [Row("cost to a barrier no higher", "no path of ours reaches it", 1.0, None, 1.0, "<= 1/20", False)]
    rows = []
    for learned in (False, True):
        candidates = {name: arm for name, arm in reached.items() if arm.passes > 0 or not learned}
        name, arm = min(candidates.items(), key=lambda item: item[1].busy)
        case = f"{name}, height {arm.barrier.height:.2g} against {peer.barrier.height:.2g}, {budget:g} s given"
        for what, ours, other, unit in (
            ("minibatch passes", arm.passes, peer.passes, "passes of 256"),
            ("wall time", arm.seconds, peer.seconds, "s"),
            ("processor time", arm.busy, peer.busy, "s"),
        ):
            kind = "the quickest that is learned" if learned else "the quickest"
            meets = None if learned else ours / other <= SHARE
            rows.append(Row(f"{what} of {kind} of ours", case, ours, other, ours / other, "<= 1/20", meets, unit))
    return rows


def _alignment(task: Task) -> Row:
    """Compare the logits of all samples before and after the units were moved."""
    surface, moved = task.surface, align(task.first, task.second, find_symmetries(task.surface.model))
    before, after = (predict(surface.model_at(params), surface.batch) for params in (task.second, moved.params))
    away = float((before - after).abs().max())
    case = f"logits of {surface.size} samples; distance {moved.before:.4g} before, {moved.after:.4g} after"
    return Row("alignment leaves the function", case, away, None, away, "<= 1e-5", away <= 1e-5, "")


def _bound(task: Task, tracked: TrackingState) -> list[Row]:
    """Check the bound of our tracking at its points, anew, and on the pieces between them."""
    losses = _means(task, tracked.points)
    fractions = [k / (BETWEEN + 1) for k in range(1, BETWEEN + 1)]
    inner = [interpolate(start, end, t) for start, end in pairwise(tracked.points) for t in fractions]
    rows = []
    for where, values in (("at its points", losses), (f"between them, {BETWEEN} on each piece", _means(task, inner))):
        over = int((values > tracked.level).sum())
        excess = max(0.0, float(values.max()) - tracked.level)
        case = f"{where}: {len(values)} of a level of {tracked.level:.3g}, {tracked.ended}; most above it {excess:.2g}"
        rows.append(Row("bound on the loss along our valley: violated", case, over, None, over, "0", over == 0, ""))
    return rows


def _means(task: Task, points: tuple[Params, ...] | list[Params]) -> Tensor:
    return torch.stack([task.surface.losses(point).double().mean() for point in points])


def _optimality() -> list[Row]:
    """Draw direction problems: conditions of the optimum, then every iterate of the published loop for each."""
    generator = stream(0, "problems")
    to, gradient, start = torch.randn(3, PROBLEMS, SIZE, generator=generator, dtype=torch.float64).unbind()
    descents = torch.rand(PROBLEMS, generator=generator, dtype=torch.float64) * 1.9 - 0.95
    gradient, to = (vector / vector.norm(dim=1, keepdim=True) for vector in (gradient, to))
    problems = zip(to, gradient, descents.tolist(), strict=True)
    exact = torch.stack([find_direction(*problem) for problem in problems])
    away = _conditions(exact, to, gradient, descents)
    below, feasible = _iterates(exact, to, gradient, descents, start)
    case = f"{PROBLEMS} random problems of {SIZE} weights, float64"
    return [
        Row(
            "direction: largest violation of the KKT conditions", case, away, None, away, "<= 1e-10", away <= 1e-10, ""
        ),
        Row(
            "direction: most that a feasible iterate of the published loop is closer to the target",
            f"{case}; {feasible:.3g} feasible ones of {PROBLEMS * OUTER * INNER:.3g}, the gradient kept",
            below,
            None,
            below,
            "<= 1e-12 of the cosine",
            below <= 1e-12,
            "",
        ),
    ]


def _conditions(d: Tensor, to: Tensor, gradient: Tensor, descents: Tensor) -> float:
    """Solve `to = a d + b gradient` subject to a, b >= 0, |d| = 1, the slope, and b = 0 where there is slack."""
    slack = -descents - (d * gradient).sum(1)
    active = slack < 1e-9
    basis = torch.stack([d, torch.where(active[:, None], gradient, 0.0)], 2)
    parts = torch.linalg.pinv(basis, rtol=1e-9) @ to[..., None]
    stationary = (basis @ parts - to[..., None]).abs().amax()
    signs, slopes, lengths = (-parts).amax(), (-slack).amax(), (d.norm(dim=1) - 1).abs().amax()
    return float(torch.stack([stationary, signs, slopes, lengths]).amax().clamp_min(0))


def _iterates(exact: Tensor, to: Tensor, gradient: Tensor, descents: Tensor, start: Tensor) -> tuple[float, float]:
    """Run the published loop on all problems at once, and compare every iterate that keeps the slope."""
    way = start.clone().requires_grad_()
    learner = torch.optim.Adam([way])
    best, multiplier, rate, feasible, most = (exact * to).sum(1), torch.ones(PROBLEMS, 1), 0.5, 0, -1.0
    for _ in range(OUTER):
        for _ in range(INNER):
            unit = way.detach() / way.detach().norm(dim=1, keepdim=True)
            kept = (unit * gradient).sum(1) <= -descents
            closer = ((unit * to).sum(1) - best)[kept]
            feasible, most = feasible + len(closer), max([most, *closer.amax(0, keepdim=True).tolist()])
            way.grad = multiplier * gradient - (to - (unit * to).sum(1, keepdim=True) * unit) / way.detach().norm(
                dim=1, keepdim=True
            )
            learner.step()
        with torch.no_grad():
            slope = (way * gradient).sum(1) / way.norm(dim=1)
        multiplier = (multiplier + rate * (slope + descents)[:, None]).clamp_min(0)
        rate *= 0.95
    return max(0.0, most), float(feasible)
