"""Distributions of the values of the most important types over samples, with the median of each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.stats import gaussian_kde

from perdure.report.charts.figure import add_legend, new_figure, style_axes, wrap_label
from perdure.report.charts.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_violins", "draw_violins_along"]

MOST_VALUES = 800
"""Maximum number of values of a violin; more do not change its shape."""


def draw_violins(
    values: Float[np.ndarray, "run sample type"],
    names: Sequence[str],
    colour: str = SERIES[0],
    unit: str = "",
    palette: Palette = LIGHT,
) -> Figure:
    """Draw a half violin of each type over all runs, with a mark at the median of each run.

    Marks close together below a wide violin: samples differ, runs do not. Marks as far apart as the violin is wide:
    the values depend on the run.

    Args:
        values: Values; NaN where a type is absent.
        names: Names of the types.
        colour: Colour of the violins.
        unit: Name of the values.
        palette: Colours of the paper.

    Returns:
        Figure with one row for each type.
    """
    figure = new_figure(8.4, 0.9 + 0.46 * len(names), palette)
    axes = figure.add_subplot()
    style_axes(axes, palette)
    axes.grid(visible=False, axis="y")
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, (0.005, 0.995)) if finite.size else (0.0, 1.0)
    grid = np.linspace(low, high if high > low else low + 1.0, 160)
    shape = None
    for row in range(len(names)):
        of_type = values[:, :, row]
        shape = _violin(axes, row, of_type[np.isfinite(of_type)], grid, colour) or shape
        marks = axes.scatter(*_medians(of_type, row), s=20, marker="d", color=palette.ink, alpha=0.75, linewidth=0)
    axes.axvline(0.0, color=palette.muted, linewidth=1.0) if low < 0 < high else None
    axes.set(yticks=range(len(names)), ylim=(len(names) - 0.5, -0.85), xlabel=wrap_label(unit, 80))
    axes.set_yticklabels([wrap_label(name, 26) for name in names], color=palette.ink)
    if shape is not None:
        add_legend(figure, (shape, marks), ("values of all samples and runs", "median of one run"), palette)
    return figure


def draw_violins_along(
    values: Float[np.ndarray, "point sample type"],
    way: Float[np.ndarray, " point"],
    names: Sequence[str],
    label: str,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw the distribution of each type at the points of a path, with a line through the medians.

    Args:
        values: Values; NaN where a type is absent.
        way: Position of each point, from 0 to 1.
        names: Names of the types.
        label: Label of the horizontal axis.
        palette: Colours of the paper.

    Returns:
        Figure with one panel for each type, all with one vertical scale.
    """
    figure = new_figure(8.4, 0.9 + 1.35 * len(names), palette)
    panels = figure.subplots(len(names), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    half = 0.42 * float(np.diff(way).min()) if len(way) > 1 else 0.4
    shape, line = None, None
    for row, (axes, name) in enumerate(zip(panels, names, strict=True)):
        style_axes(axes, palette)
        medians = []
        for point, x in enumerate(way):
            known = values[point, :, row]
            known = known[np.isfinite(known)]
            medians.append(float(np.median(known)) if known.size else np.nan)
            shape = _violin_at(axes, float(x), half, known) or shape
        (line,) = axes.plot(way, medians, color=palette.ink, linewidth=1.3, marker="d", markersize=3.5)
        axes.set_title(wrap_label(name, 60), color=palette.ink, size=9.5, loc="left", pad=4)
        if row == len(names) - 1:
            axes.set_xlabel(wrap_label(label, 80))
    if shape is not None and line is not None:
        add_legend(figure, (shape, line), ("values of all samples", "median"), palette)
    return figure


def _violin_at(axes: Axes, x: float, half: float, values: np.ndarray) -> Artist | None:
    """Draw a violin around a position; constant values are a short line."""
    if values.size == 0:
        return None
    drawn = values[np.unique(np.linspace(0, values.size - 1, min(MOST_VALUES, values.size)).astype(int))]
    if float(np.std(drawn)) <= 1e-9 * max(1.0, float(np.abs(drawn).max())):
        axes.hlines(drawn[0], x - half, x + half, color=SERIES[0], linewidth=2)
        return None
    grid = np.linspace(drawn.min(), drawn.max(), 80)
    density = gaussian_kde(drawn)(grid)
    width = half * density / density.max()
    return axes.fill_betweenx(grid, x - width, x + width, color=SERIES[0], alpha=0.55, linewidth=0)


def _violin(axes: Axes, row: int, values: np.ndarray, grid: np.ndarray, colour: str) -> Artist | None:
    """Draw one half violin above its row; constant values are a bar."""
    if values.size == 0:
        return None
    drawn = values[np.unique(np.linspace(0, values.size - 1, min(MOST_VALUES, values.size)).astype(int))]
    if float(np.std(drawn)) <= 1e-9 * max(1.0, float(np.abs(drawn).max())):
        axes.vlines(drawn[0], row - 0.75, row, color=colour, linewidth=2)
        return None
    density = gaussian_kde(drawn)(grid)
    return axes.fill_between(grid, row, row - 0.75 * density / density.max(), color=colour, alpha=0.65, linewidth=0)


def _medians(values: np.ndarray, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Place the median of each run with the type slightly below its row."""
    middles = np.array([np.median(run[np.isfinite(run)]) for run in values if np.isfinite(run).any()])
    return middles, np.full(len(middles), row + 0.13)
