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
        rows: Rows of a study.
        metric: Metric to draw.

    Returns:
        Figure as PNG.
    """
    return _chart([row for row in rows if row.metric == metric], metric, lambda row: (row.dataset, row.model))


def draw_methods(rows: Sequence[Row], dataset: str, metric: str) -> bytes:
    """Draw the mean of a metric over seeds for each method on one dataset.

    Args:
        rows: Rows of a study.
        dataset: Name of the dataset.
        metric: Metric to draw.

    Returns:
        Figure as PNG.
    """
    selected = [row for row in rows if (row.dataset, row.metric) == (dataset, metric)]
    return _chart(selected, metric, lambda row: (row.method, row.dataset))


def _chart(rows: Sequence[Row], metric: str, place: Callable[[Row], tuple[str, str]]) -> bytes:
    """Draw means over seeds, by group and series, which `place` gives for a row."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.seed != "paper":
            groups.setdefault(place(row), []).append(row)
    paper = {place(row): row.value for row in rows if row.seed == "paper"}
    table: dict[str, list[float | str]] = {}
    for (group, series), members in groups.items():
        mean, low, high = compute_seed_interval([row.value for row in members])
        bounds = {name: float(np.mean([getattr(row, name) for row in members])) for name in ("null", "ceiling")}
        numbers = {"value": mean, "low": low, "high": high, **bounds}
        texts: dict[str, float | str] = {"group": group, "series": series}
        if paper:
            texts["published"] = paper.get((group, series), float("nan"))
        for name, value in {**texts, **numbers}.items():
            table.setdefault(name, []).append(value)
    return to_png(draw_intervals(table, metric.replace("_", " ")))


def compute_seed_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Compute mean and 95 % t-interval over training runs.

    Args:
        values: Value of each run.

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
        rows: Rows of a study of retrained models.
        metric: Measure of agreement.

    Returns:
        Figure as PNG.
    """
    selected = [row for row in rows if row.metric == metric]
    return _intervals(selected, f"agreement of runs, {metric}", lambda row: (row.method, row.model))


def draw_remedies(rows: Sequence[Row], model: str) -> bytes:
    """Draw the agreement with remedies for each method.

    Args:
        rows: Rows of a study of retrained models.
        model: Name of the model.

    Returns:
        Figure as PNG.
    """
    selected = [row for row in rows if (row.model, row.kind) == (model, "remedy")]
    return _intervals(selected, f"agreement, Spearman, {model}", lambda row: (row.method, row.comparison))


def draw_paths(rows: Sequence[Row], model: str) -> bytes:
    """Draw the agreement with the first end along paths, for each method and kind of path.

    Args:
        rows: Rows of a study of retrained models.
        model: Name of the model.

    Returns:
        Figure as PNG.
    """
    selected = [row for row in rows if (row.model, row.kind) == (model, "path")]
    return _chart(selected, f"Spearman with the first end, {model}", lambda row: (row.method, row.comparison))


def draw_barriers(rows: Sequence[Row], model: str) -> bytes:
    """Draw the agreement of each pair of runs against the barrier of the straight line between them.

    Args:
        rows: Rows of a study of retrained models.
        model: Name of the model.

    Returns:
        Figure as PNG.
    """
    of_model = [row for row in rows if row.model == model]
    barriers = {row.seed: row.value for row in of_model if (row.kind, row.comparison) == ("barrier", "linear")}
    series: dict[str, list[tuple[float, float]]] = {}
    for row in of_model:
        if row.kind == "pair":
            series.setdefault(row.method, []).append((barriers[row.seed], row.value))
    points = {method: np.array(pairs) for method, pairs in series.items()}
    across = f"{model}: barrier of the straight line, units matched, nats"
    return to_png(draw_scatter(points, across, "agreement, Spearman"))


def _intervals(rows: Sequence[Row], title: str, place: Callable[[Row], tuple[str, str]]) -> bytes:
    """Draw numbers with the intervals of their rows."""
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
        means: Arrays `mean/START` and `truth/START` by model.

    Returns:
        Figure as PNG.
    """
    starts = sorted(name.split("/")[1] for name in next(iter(means.values())) if name.startswith("mean/"))
    truth = np.stack([next(iter(means.values()))[f"truth/{start}"] for start in starts])
    maps = {model: np.stack([arrays[f"mean/{start}"] for start in starts]) for model, arrays in means.items()}
    return to_png(draw_moving_boxes(maps, [f"from step {int(start)}" for start in starts], truth))


def draw_mean_maps(means: Mapping[Cell, Mapping[str, np.ndarray]]) -> bytes:
    """Draw the mean map of each model on each dataset, with the truth outlined.

    Args:
        means: Arrays `mean` and `truth` by cell; one cell for each model and dataset.

    Returns:
        Figure as PNG.
    """
    sets = list(dict.fromkeys(cell.dataset for cell in means))
    truth = np.stack([next(arrays["truth"] for cell, arrays in means.items() if cell.dataset == name) for name in sets])
    models = dict.fromkeys(cell.model for cell in means)
    by_place = {(cell.model, cell.dataset): arrays["mean"] for cell, arrays in means.items()}
    maps = {model: np.stack([by_place[model, name] for name in sets]) for model in models}
    return to_png(draw_moving_boxes(maps, sets, truth))
