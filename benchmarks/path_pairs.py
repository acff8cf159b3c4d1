"""The quick paths on several pairs of seeds: whether what holds for one pair holds for others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

import torch
from scipy.stats import t

from benchmarks.harness import Row
from benchmarks.path_task import Arm, quick_arms, task_of

__all__ = ["PAIRS", "costs_of", "on_pairs", "rows_of"]

PAIRS = ((0, 1), (2, 3), (4, 5))

Costs = Mapping[str, float]
"""The numbers of one arm by the name of what was measured."""

UNITS = {"barrier: height": "nats", "minibatch passes": "passes of 256", "wall time": "s", "processor time": "s"}


def on_pairs() -> list[Row]:
    """Train all pairs anew and measure."""
    return rows_of({pair: costs_of(pair) for pair in PAIRS})


def costs_of(pair: tuple[int, int]) -> dict[str, Costs]:
    """Measure one pair; this is done pair by pair where time is short."""
    torch.set_num_threads(1)
    return {name: _costs(arm) for name, arm in quick_arms(task_of(pair)).items()}


def rows_of(costs_by_pair: Mapping[tuple[int, int], Mapping[str, Costs]]) -> list[Row]:
    """Give each number of each pair, then their mean with its interval; barriers next to those of the straight line."""
    rows = []
    for name in next(iter(costs_by_pair.values())):
        for what in UNITS:
            values = {pair: costs[name][what] for pair, costs in costs_by_pair.items()}
            straight = {pair: costs["straight line"][what] for pair, costs in costs_by_pair.items()}
            rows += [_row(what, f"{name}, seeds {a} and {b}", v, straight[a, b]) for (a, b), v in values.items()]
            low, high = _interval(list(values.values()))
            case = f"{name}, mean of {len(values)} pairs, 95 % interval {low:.3g} to {high:.3g} (Student's t)"
            rows.append(_row(what, case, fmean(values.values()), fmean(straight.values())))
    return rows


def _costs(arm: Arm) -> Costs:
    return dict(zip(UNITS, (arm.barrier.height, arm.passes, arm.seconds, arm.busy), strict=True))


def _row(what: str, case: str, ours: float, straight: float) -> Row:
    """Only a barrier has the straight line as its peer, which costs nothing."""
    peer = straight if what == "barrier: height" else None
    return Row(f"pairs of seeds, {what}", case, ours, peer, ours / peer if peer else ours, "none", None, UNITS[what])


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Give the interval of the mean; no cost is below zero."""
    reach = t.ppf(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return max(0.0, fmean(values) - reach), fmean(values) + reach
