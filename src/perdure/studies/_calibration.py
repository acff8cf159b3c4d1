"""Agreement near one checkpoint compared with the agreement of retrained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from perdure.stability.neighbours import KINDS
from perdure.studies._calibration_tasks import TASKS
from perdure.studies._table import Cell, Row

__all__ = ["COMPARISONS", "RETRAINED", "Point", "collect_points", "compare_with_retrained", "correlate", "describe"]

RETRAINED = "retrained"
POOLED = "pooled"
"""Mean over the kinds of neighbours without new weights."""

NEAR = ("noise", "dropout", "fine_tuning")
COMPARISONS = (*KINDS, POOLED)

PARTS = ("development", "held-out", "all tasks")
REQUIRED = 0.8
"""Rank correlation on held-out tasks from which an audit may use a kind of neighbours."""

DRAWS = 2000
FEWEST = 5
"""Fewest points of a correlation."""


class Point(NamedTuple):
    """The agreement of one method on one task, rescaled to 0 at the null and 1 at the ceiling."""

    task: Cell
    method: str
    nearby: float
    retrained: float


def collect_points(arrays: Mapping[Cell, Mapping[str, np.ndarray]], kind: str) -> list[Point]:
    """Collect the points of a kind of neighbours.

    Args:
        arrays: Value, null and ceiling of the agreements of each task, by "KIND/METHOD".
        kind: One of `COMPARISONS`.

    Returns:
        The points of all tasks on which enough neighbours and networks could be compared.
    """
    kinds = NEAR if kind == POOLED else (kind,)
    points = []
    for cell, numbers in arrays.items():
        for method in (name.partition("/")[2] for name in numbers if name.startswith(f"{RETRAINED}/")):
            names = [f"{each}/{method}" for each in kinds]
            if all(name in numbers for name in names):
                nearby = float(np.mean([_rescale(numbers[name]) for name in names]))
                points.append(Point(cell, method, nearby, _rescale(numbers[f"{RETRAINED}/{method}"])))
    return points


def _rescale(numbers: np.ndarray) -> float:
    value, null, ceiling = numbers
    return float((value - null) / (ceiling - null))


def compare_with_retrained(arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> list[Row]:
    """Correlate the agreement of each kind of neighbours with that of retrained networks.

    Args:
        arrays: As in `collect_points`.

    Returns:
        For each part of the tasks and kind of neighbours the rank correlation with its interval, the slope of a line
        through the points, and the mean of the agreement nearby minus that of retrained networks.
    """
    rows = []
    for part in PARTS:
        for kind in COMPARISONS:
            points = [p for p in collect_points(arrays, kind) if part in (_part(p.task), PARTS[-1])]
            if len(points) < FEWEST:
                continue
            value, low, high = correlate(points)
            if isnan(value):
                continue
            nearby, retrained = (np.array([getattr(p, name) for p in points]) for name in ("nearby", "retrained"))
            slope = float(np.polyfit(nearby, retrained, 1)[0])
            tasks = f"{len({p.task for p in points})} tasks"
            place = (part, tasks, "")
            rows += [
                Row(*place, f"rank correlation, {kind}", "all", value, 0.0, 1.0, low, high, comparison=kind),
                Row(*place, f"slope, {kind}", "all", slope, 0.0, 1.0, comparison=kind),
                Row(*place, f"bias, {kind}", "all", float((nearby - retrained).mean()), 0.0, 0.0, comparison=kind),
            ]
    return rows


def _part(cell: Cell) -> str:
    return TASKS[cell.dataset, cell.model].part


def correlate(points: Sequence[Point], seed: int = 0) -> tuple[float, float, float]:
    """Compute the rank correlation of both agreements, with a bootstrap interval over tasks.

    Args:
        points: Points of several tasks.
        seed: Seed of the bootstrap.

    Returns:
        Spearman's correlation and its 95 % interval; whole tasks are drawn, as the methods of one depend on each other.
        A draw weights the points, whose ranks stay.

    Reference:
        spearman1904proof

    Example:
        >>> points = [Point(Cell(str(i // 2), "", 0), str(i), float(i), float(i) ** 3) for i in range(8)]
        >>> correlate(points)
        (1.0, 1.0, 1.0)
    """
    ranks = np.stack([rankdata([getattr(p, name) for p in points]) for name in ("nearby", "retrained")])
    tasks = list(dict.fromkeys(point.task for point in points))
    task = np.array([tasks.index(point.task) for point in points])
    count = len(tasks)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    low, high = np.nanquantile(_correlate_weighted(ranks, draws[:, task]), (0.025, 0.975))
    (value,) = _correlate_weighted(ranks, np.ones((1, len(points))))
    return float(value), float(low), float(high)


def _correlate_weighted(ranks: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Correlate two rows for each row of weights; NaN where one of them is constant."""
    weight = weight / weight.sum(1, keepdims=True)
    centred = ranks[:, None] - (ranks @ weight.T)[..., None]
    products = np.einsum("adp,bdp,dp->abd", centred, centred, weight)
    sizes = np.sqrt(products[0, 0] * products[1, 1])
    result = np.full(len(weight), np.nan)
    np.divide(products[0, 1], sizes, out=result, where=sizes > 0)
    return result.clip(-1.0, 1.0).round(12)


def describe(rows: Sequence[Row]) -> str:
    """Describe the correlations, and which kinds of neighbours an audit may use.

    Args:
        rows: Rows of `compare_with_retrained`.

    Returns:
        Markdown.
    """
    numbers = {(row.dataset, row.metric): row for row in rows}
    lines = ["| tasks | neighbours | rank correlation [95 %] | slope | bias |", "|---|---|---|---|---|"]
    for part in PARTS:
        for kind in COMPARISONS:
            row = numbers.get((part, f"rank correlation, {kind}"))
            if row is not None:
                slope, bias = (numbers[part, f"{name}, {kind}"].value for name in ("slope", "bias"))
                name = kind.replace("_", " ")
                lines.append(
                    f"| {part} ({row.model}) | {name} | {row.value:.2f} [{row.low:.2f}, {row.high:.2f}] "
                    f"| {slope:.2f} | {bias:+.2f} |"
                )
    held_out = [(kind, numbers.get(("held-out", f"rank correlation, {kind}"))) for kind in COMPARISONS]
    usable = [kind.replace("_", " ") for kind, row in held_out if row is not None and row.value >= REQUIRED]
    answer = (
        f"Neighbours by {', '.join(usable)} reach a rank correlation of {REQUIRED} on the held-out tasks."
        if usable
        else f"No kind of neighbours reaches a rank correlation of {REQUIRED} on the held-out tasks."
    )
    return "\n".join([*lines, "", answer, ""])
