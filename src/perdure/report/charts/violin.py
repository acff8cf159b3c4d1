"""How the values of the most important types are spread over samples, and where each run has its middle."""

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

__all__ = ["draw_violins"]

MOST_VALUES = 800
"""Values that a violin is drawn from; more do not change its form."""


def draw_violins(
    values: Float[np.ndarray, "run sample type"],
    names: Sequence[str],
    colour: str = SERIES[0],
    unit: str = "",
    palette: Palette = LIGHT,
) -> Figure:
    """Draw a half violin for each type over all runs, and under it a mark for the median of each run.

    Marks close together beneath a wide violin: samples differ, runs do not. Marks as far apart as the violin is
    wide: the run decides.

    Args:
        values: NaN where a type is absent.
        names: of the types.
        colour: of the violins.
        unit: what the values are.
        palette: the colours.

    Returns:
        The figure, one row for each type.
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
        one = values[:, :, row]
        shape = _violin(axes, row, one[np.isfinite(one)], grid, colour) or shape
        marks = axes.scatter(*_medians(one, row), s=20, marker="d", color=palette.ink, alpha=0.75, linewidth=0)
    axes.axvline(0.0, color=palette.muted, linewidth=1.0) if low < 0 < high else None
    axes.set(yticks=range(len(names)), ylim=(len(names) - 0.5, -0.85), xlabel=wrap_label(unit, 80))
    axes.set_yticklabels([wrap_label(name, 26) for name in names], color=palette.ink)
    if shape is not None:
        add_legend(figure, (shape, marks), ("values of all samples and runs", "median of one run"), palette)
    return figure


def _violin(axes: Axes, row: int, values: np.ndarray, grid: np.ndarray, colour: str) -> Artist | None:
    """Draw one half violin above its row; values without spread are a bar."""
    if values.size == 0:
        return None
    some = values[np.unique(np.linspace(0, values.size - 1, min(MOST_VALUES, values.size)).astype(int))]
    if float(np.std(some)) <= 1e-9 * max(1.0, float(np.abs(some).max())):
        axes.vlines(some[0], row - 0.75, row, color=colour, linewidth=2)
        return None
    density = gaussian_kde(some)(grid)
    return axes.fill_between(grid, row, row - 0.75 * density / density.max(), color=colour, alpha=0.65, linewidth=0)


def _medians(values: np.ndarray, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Place the median of each run that has the type, a little below its row."""
    middles = np.array([np.median(run[np.isfinite(run)]) for run in values if np.isfinite(run).any()])
    return middles, np.full(len(middles), row + 0.13)
