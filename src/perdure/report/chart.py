"""The chart of a study: every number with its interval, between its null and its ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perdure.report.figure import label, legend, new_figure, quiet
from perdure.report.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["interval_chart"]


def interval_chart(table: Mapping[str, Sequence[Any]], title: str, palette: Palette = LIGHT) -> Figure:
    """Draw numbers with their intervals, grouped, each group between its null and its ceiling.

    Args:
        table: columns of equal length, for example a data frame: group, series, value, low, high, null and
            ceiling; an optional column `published` is drawn as a hollow diamond where it is not NaN.
        title: the name of the number, with its unit.
        palette: the colours.

    Returns:
        The figure: a band for each group, a point for each series in it, null and ceiling as upright lines.
    """
    groups, series = (list(dict.fromkeys(table[name])) for name in ("group", "series"))
    figure = new_figure(7.6, 1.2 + len(groups) * (0.3 + 0.2 * len(series)), palette)
    axes = figure.add_subplot()
    quiet(axes, palette)
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
    axes.set(yticks=range(len(groups)), xlabel=label(title, 80), ylim=(len(groups) - 0.45, -0.55))
    axes.set_yticklabels([label(group) for group in groups], color=palette.ink)
    legend(figure, handles, series, palette)
    return figure


def _bounds(axes: Axes, row: int, null: float, ceiling: float, palette: Palette) -> None:
    """Draw null and ceiling of a group and the way between them."""
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
    """Draw one series; `member` is its rows, its place and the number of series."""
    rows, place, count = member
    group, value, low, high = (np.asarray(table[name])[rows] for name in ("group", "value", "low", "high"))
    y = np.array([groups.index(name) for name in group]) + 0.7 * ((place + 0.5) / count - 0.5)
    colour = SERIES[place % len(SERIES)]
    axes.hlines(y, low.astype(float), high.astype(float), color=colour, linewidth=2.2, alpha=0.55)
    if "published" in table:
        published = np.asarray(table["published"], dtype=float)[rows]
        axes.scatter(published, y, s=26, marker="D", facecolor=palette.paper, edgecolor=colour, linewidth=1.1, zorder=3)
    return axes.scatter(value.astype(float), y, s=24, color=colour, zorder=4)
