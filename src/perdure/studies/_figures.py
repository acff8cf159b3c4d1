"""Figures that studies share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import t

from perdure.report.charts.figure import to_png
from perdure.report.charts.mosaic import draw_moving_boxes
from perdure.report.charts.study_charts import draw_intervals, draw_scatter
from perdure.studies._table import Cell, Row

__all__ = [
    "compute_seed_interval",
    "draw_agreement",
    "draw_barriers",
    "draw_mean_maps",
    "draw_means",
    "draw_methods",
    "draw_moving_box_means",
    "draw_paths",
    "draw_remedies",
]


def draw_means(rows: Sequence[Row], metric: str) -> bytes:
    """Draw the mean of a metric over seeds for each dataset and model, with the published numbers.

    Args:
        rows: of a study.
        metric: which numbers to draw.

    Returns:
        The figure as PNG.
    """
    return _chart([row for row in rows if row.metric == metric], metric, lambda row: (row.dataset, row.model))


def draw_methods(rows: Sequence[Row], dataset: str, metric: str) -> bytes:
    """Draw the mean of a metric over seeds for each method on one dataset.

    Args:
        rows: of a study.
        dataset: which dataset.
        metric: which numbers to draw.

    Returns:
        The figure as PNG.
    """
    some = [row for row in rows if (row.dataset, row.metric) == (dataset, metric)]
    return _chart(some, metric, lambda row: (row.method, row.dataset))


def _chart(rows: Sequence[Row], metric: str, place: Callable[[Row], tuple[str, str]]) -> bytes:
    """Draw means over seeds, by group and series, which `place` gives for a row."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.seed != "paper":
            groups.setdefault(place(row), []).append(row)
    paper = {place(row): row.value for row in rows if row.seed == "paper"}
    table: dict[str, list[float | str]] = {}
    for (group, series), some in groups.items():
        mean, low, high = compute_seed_interval([row.value for row in some])
        bounds = {name: float(np.mean([getattr(row, name) for row in some])) for name in ("null", "ceiling")}
        numbers = {"value": mean, "low": low, "high": high, **bounds}
        texts: dict[str, float | str] = {"group": group, "series": series}
        if paper:
            texts["published"] = paper.get((group, series), float("nan"))
        for name, value in {**texts, **numbers}.items():
            table.setdefault(name, []).append(value)
    return to_png(draw_intervals(table, metric.replace("_", " ")))


def compute_seed_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Give mean and 95 % t-interval over training runs.

    Args:
        values: one per run.

    Returns:
        Mean, low and high; without an interval for a single run.

    Example:
        >>> [round(number, 2) for number in compute_seed_interval([1.0, 2.0, 3.0])]
        [2.0, -0.48, 4.48]
    """
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return mean, mean, mean
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return mean, mean - half, mean + half


def draw_agreement(rows: Sequence[Row], metric: str) -> bytes:
    """Draw the agreement of runs for each method and model, with the interval over runs.

    Args:
        rows: of a study of retrained models.
        metric: which agreement.

    Returns:
        The figure as PNG.
    """
    some = [row for row in rows if row.metric == metric]
    return _intervals(some, f"agreement of runs, {metric}", lambda row: (row.method, row.model))


def draw_remedies(rows: Sequence[Row], model: str) -> bytes:
    """Draw what remedies buy for each method.

    Args:
        rows: of a study of retrained models.
        model: which model.

    Returns:
        The figure as PNG.
    """
    some = [row for row in rows if (row.model, row.kind) == (model, "remedy")]
    return _intervals(some, f"agreement, Spearman, {model}", lambda row: (row.method, row.comparison))


def draw_paths(rows: Sequence[Row], model: str) -> bytes:
    """Draw the agreement with the first end on the way to another run, for each method and kind of path.

    Args:
        rows: of a study of retrained models.
        model: which model.

    Returns:
        The figure as PNG.
    """
    some = [row for row in rows if (row.model, row.kind) == (model, "path")]
    return _chart(some, f"Spearman with the first end, {model}", lambda row: (row.method, row.comparison))


def draw_barriers(rows: Sequence[Row], model: str) -> bytes:
    """Draw the agreement of each pair of runs against the barrier of the straight line between them.

    Args:
        rows: of a study of retrained models.
        model: which model.

    Returns:
        The figure as PNG.
    """
    some = [row for row in rows if row.model == model]
    barriers = {row.seed: row.value for row in some if (row.kind, row.comparison) == ("barrier", "linear")}
    series: dict[str, list[tuple[float, float]]] = {}
    for row in some:
        if row.kind == "pair":
            series.setdefault(row.method, []).append((barriers[row.seed], row.value))
    points = {method: np.array(pairs) for method, pairs in series.items()}
    across = f"{model}: barrier of the straight line, units matched, nats"
    return to_png(draw_scatter(points, across, "agreement, Spearman"))


def _intervals(rows: Sequence[Row], title: str, place: Callable[[Row], tuple[str, str]]) -> bytes:
    """Draw numbers with intervals of their own."""
    table: dict[str, list[float | str | None]] = {}
    for row in rows:
        group, series = place(row)
        ends = {name: row.value if end is None else end for name, end in (("low", row.low), ("high", row.high))}
        numbers = {"value": row.value, "null": row.null, "ceiling": row.ceiling, **ends}
        for name, value in {"group": group, "series": series, **numbers}.items():
            table.setdefault(name, []).append(value)
    return to_png(draw_intervals(table, title))


def draw_moving_box_means(means: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    """Draw the mean map of each model for each position of the moving box.

    Args:
        means: by model, arrays `mean/START` and `truth/START`.

    Returns:
        The figure as PNG.
    """
    starts = sorted(name.split("/")[1] for name in next(iter(means.values())) if name.startswith("mean/"))
    truth = np.stack([next(iter(means.values()))[f"truth/{start}"] for start in starts])
    maps = {model: np.stack([found[f"mean/{start}"] for start in starts]) for model, found in means.items()}
    return to_png(draw_moving_boxes(maps, [f"from step {int(start)}" for start in starts], truth))


def draw_mean_maps(means: Mapping[Cell, Mapping[str, np.ndarray]]) -> bytes:
    """Draw the mean map of each model on each dataset, with the truth outlined.

    Args:
        means: by cell, arrays `mean` and `truth`; one cell for each model and dataset.

    Returns:
        The figure as PNG.
    """
    sets = list(dict.fromkeys(cell.dataset for cell in means))
    truth = np.stack([next(some["truth"] for cell, some in means.items() if cell.dataset == name) for name in sets])
    models = dict.fromkeys(cell.model for cell in means)
    by_place = {(cell.model, cell.dataset): some["mean"] for cell, some in means.items()}
    maps = {model: np.stack([by_place[model, name] for name in sets]) for model in models}
    return to_png(draw_moving_boxes(maps, sets, truth))
