"""Charts of studies: numbers with intervals, scatter plots and removal curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from perdure.report.charts.figure import add_legend, new_figure, style_axes, wrap_label
from perdure.report.charts.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_intervals", "draw_removal", "draw_scatter"]


def draw_intervals(table: Mapping[str, Sequence[Any]], title: str, palette: Palette = LIGHT) -> Figure:
    """Draw grouped numbers with their intervals, null and ceiling.

    Args:
        table: Columns of equal length, for example a data frame: group, series, value, low, high, null and
            ceiling; an optional column `published` is drawn as a hollow diamond where it is not NaN.
        title: Name of the number with its unit.
        palette: Colours of the paper.

    Returns:
        Figure with a band for each group, a point for each series, and vertical lines for null and ceiling.
    """
    groups, series = (list(dict.fromkeys(table[name])) for name in ("group", "series"))
    figure = new_figure(7.6, 1.2 + len(groups) * (0.3 + 0.2 * len(series)), palette)
    axes = figure.add_subplot()
    style_axes(axes, palette)
    axes.grid(visible=False, axis="y")
    columns = {name: np.asarray(table[name]) for name in ("group", "series", "null", "ceiling")}
    for i, group in enumerate(groups):
        rows = columns["group"] == group
        _bounds(axes, i, float(columns["null"][rows].mean()), float(columns["ceiling"][rows].mean()), palette)
    handles = [
        _points(axes, table, groups, (columns["series"] == name, k, len(series)), palette)
        for k, name in enumerate(series)
    ]
    if "published" in table:
        handles.append(axes.scatter([], [], s=26, marker="D", facecolor=palette.paper, edgecolor=palette.ink))
        series = [*series, "published"]
    axes.set(yticks=range(len(groups)), xlabel=wrap_label(title, 80), ylim=(len(groups) - 0.45, -0.55))
    axes.set_yticklabels([wrap_label(group) for group in groups], color=palette.ink)
    add_legend(figure, handles, series, palette)
    return figure


def _bounds(axes: Axes, row: int, null: float, ceiling: float, palette: Palette) -> None:
    """Draw null and ceiling of a group and the band between them."""
    axes.fill_betweenx((row - 0.42, row + 0.42), null, ceiling, color=palette.card, linewidth=0, zorder=0)
    axes.plot((null, null), (row - 0.42, row + 0.42), color=palette.muted, linewidth=1.4, dashes=(2, 1.5))
    axes.plot((ceiling, ceiling), (row - 0.42, row + 0.42), color=palette.ink, linewidth=1.4)
    if row == 0:
        for x, name in ((null, "null"), (ceiling, "ceiling")):
            axes.annotate(
                name, (x, -0.42), (0, 2), textcoords="offset points", ha="center", color=palette.muted, size=8
            )


def _points(
    axes: Axes,
    table: Mapping[str, Sequence[Any]],
    groups: list[Any],
    member: tuple[np.ndarray, int, int],
    palette: Palette,
) -> Any:
    """Draw one series; `member` contains its rows, its index and the number of series."""
    rows, place, count = member
    group, value, low, high = (np.asarray(table[name])[rows] for name in ("group", "value", "low", "high"))
    y = np.array([groups.index(name) for name in group]) + 0.7 * ((place + 0.5) / count - 0.5)
    colour = SERIES[place % len(SERIES)]
    axes.hlines(y, low.astype(float), high.astype(float), color=colour, linewidth=2.2, alpha=0.55)
    if "published" in table:
        published = np.asarray(table["published"], dtype=float)[rows]
        axes.scatter(published, y, s=26, marker="D", facecolor=palette.paper, edgecolor=colour, linewidth=1.1, zorder=3)
    return axes.scatter(value.astype(float), y, s=24, color=colour, zorder=4)


MARKERS = "os^DvPX"


def draw_scatter(
    series: Mapping[str, Float[np.ndarray, "point 2"]],
    across: str,
    up: str,
    palette: Palette = LIGHT,
    *,
    logarithmic: bool = True,
) -> Figure:
    """Draw a scatter plot; series of equal colour have different markers.

    Args:
        series: Points by name.
        across: Label of the horizontal axis with its unit.
        up: Label of the vertical axis.
        palette: Colours of the paper.
        logarithmic: Whether the horizontal axis is logarithmic; below 1e-6 it is linear, so that zero is visible.

    Returns:
        Figure.
    """
    figure = new_figure(7.6, 4.6, palette)
    axes = figure.add_subplot()
    style_axes(axes, palette)
    handles = [
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=22,
            alpha=0.75,
            color=SERIES[k % len(SERIES)],
            marker=MARKERS[k // len(SERIES) % len(MARKERS)],
        )
        for k, points in enumerate(series.values())
    ]
    if logarithmic:
        axes.set_xscale("symlog", linthresh=1e-6)
    axes.set(xlabel=wrap_label(across, 80), ylabel=wrap_label(up, 40))
    add_legend(figure, handles, list(series), palette)
    return figure


def draw_removal(
    fractions: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    bounds: Mapping[str, Sequence[float]],
    palette: Palette = LIGHT,
) -> Figure:
    """Draw accuracy against the fraction of removed elements, highest attribution first.

    Args:
        fractions: Fractions of the elements, from 0 to 1.
        curves: Accuracy at each fraction, by the name of network and map.
        bounds: Accuracy with random maps and with the truth, dashed.
        palette: Colours of the paper.

    Returns:
        Figure; of the same network, a better map has a lower curve.
    """
    figure = new_figure(7.2, 4.0, palette)
    axes = figure.add_subplot()
    style_axes(axes, palette)
    percent = [100 * fraction for fraction in fractions]
    handles = []
    for i, values in enumerate(curves.values()):
        handles += axes.plot(percent, values, color=SERIES[i % len(SERIES)], linewidth=1.9, marker="o", markersize=4)
    for i, values in enumerate(bounds.values()):
        colour = palette.muted if i % 2 else palette.ink
        handles += axes.plot(percent, values, color=colour, linewidth=1.2, dashes=(4, 1.5 + 1.5 * (i // 2)))
    axes.set(xlabel="removed elements, %", ylabel="accuracy", ylim=(0, 1.02))
    add_legend(figure, handles, [*curves, *bounds], palette)
    return figure
