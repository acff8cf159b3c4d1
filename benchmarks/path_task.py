"""The ends of paths, the quick ways to find one, and what each costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from perdure.core.random import stream
from perdure.data.planted_events import PlantedEvents
from perdure.landscape.align import align
from perdure.landscape.barrier import Barrier, measure_barrier
from perdure.landscape.curve import CurveSettings, fit_bezier, fit_polychain
from perdure.landscape.path import Path, connect_linearly
from perdure.landscape.surface import CountedSurface, ModelLoss
from perdure.landscape.symmetry import find_symmetries
from perdure.models.attention import Attention
from perdure.ops.params import Params, params_of
from perdure.training.settings import CLEAN
from perdure.training.train import train

__all__ = ["ALLOWED", "POINTS", "Arm", "Task", "quick_arms", "task_of"]

CONFIG = Attention(hidden_sizes=(32, 16))
ALLOWED = 0.05
"""Loss increase for the published tracking, in nats; more than our own tracking needs, so that there is such a path."""
LEARNED = CurveSettings(steps=300, learning_rate=0.02, batch_size=64)
ENOUGH = replace(LEARNED, allowed=ALLOWED)
POINTS = 97
"""Number of points at which the barrier of every path is evaluated."""


@dataclass(frozen=True, eq=False)
class Arm:
    """What a way to find a path came to.

    Args:
        path: Path from one end to the other, complete.
        seconds: Seconds of wall time.
        busy: Seconds of the processor; fewer where the machine had other work.
        passes: Number of passes of minibatches of 256 samples: a forward pass counts 1, a backward pass 2.
        barrier: Barrier on the training loss.
    """

    path: Path
    seconds: float
    busy: float
    passes: float
    barrier: Barrier


@dataclass(frozen=True, eq=False)
class Task:
    """The same two ends for all.

    Args:
        surface: Training loss.
        first: Weights of one training.
        second: Weights of the other.
    """

    surface: ModelLoss
    first: Params
    second: Params

    def arm(self, find: Callable[[CountedSurface], Path]) -> Arm:
        """Find a path, with the clock and the counter on."""
        counted, begun, busy = CountedSurface(self.surface), time.perf_counter(), time.process_time()
        path = find(counted)
        seconds, busy = time.perf_counter() - begun, time.process_time() - busy
        barrier = measure_barrier(self.surface, path, stream(0, "barrier"), POINTS)
        print(
            f"{seconds:.1f} s, processor {busy:.1f} s, {counted.passes:.0f} passes, height {barrier.height:.2g}",
            flush=True,
        )
        return Arm(path, seconds, busy, counted.passes, barrier)


def task_of(seeds: tuple[int, int]) -> Task:
    """Train two networks on the same data.

    Args:
        seeds: Seeds of the trainings.

    Returns:
        The task to join them.
    """
    splits = PlantedEvents().load(0)
    models = [train(CONFIG, splits, CLEAN, seed).model for seed in seeds]
    return Task(ModelLoss(models[0], splits.train), *map(params_of, models))


def quick_arms(task: Task) -> dict[str, Arm]:
    """Find the paths that take seconds.

    Args:
        task: the ends.

    Returns:
        What each came to.
    """
    a, b = task.first, task.second

    def align_second() -> Params:
        return align(a, b, find_symmetries(task.surface.model)).params

    return {
        "straight line": task.arm(lambda _: connect_linearly(a, b)),
        "bezier": task.arm(lambda surface: fit_bezier(surface, a, b, stream(0, "path"), LEARNED)),
        "bezier, until the loss is as allowed": task.arm(
            lambda surface: fit_bezier(surface, a, b, stream(0, "path"), ENOUGH)
        ),
        "polychain": task.arm(lambda surface: fit_polychain(surface, a, b, stream(0, "path"), LEARNED)),
        "align, straight line": task.arm(lambda _: connect_linearly(a, align_second())),
        "align, bezier": task.arm(lambda surface: fit_bezier(surface, a, align_second(), stream(0, "path"), LEARNED)),
    }
