"""Curves along paths: small multiples with one scale and legend, and the loss between two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float

from perdure.report.charts.figure import add_legend, import_for_drawing, new_figure, style_axes, wrap_label
from perdure.report.charts.palette import LIGHT, SERIES, Palette
from perdure.report.numbers import format_number
from perdure.report.pieces import Piece

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Chart",
    "Curve",
    "Line",
    "SmallChart",
    "SmallCharts",
    "Tick",
    "choose_stroke",
    "draw_loss",
    "draw_small_charts",
]

DASHES = ("", "7 3", "2 2", "8 3 2 3", "12 4", "4 2 1 2 1 2")
"""Dashes of the lines in pixels, so that lines can be distinguished without colour."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over the position along a path; NaN where there is none."""

    way: Float[np.ndarray, " point"]
    values: Float[np.ndarray, " point"]


@dataclass(frozen=True, eq=False)
class Chart:
    """Title and named curves of a small chart."""

    title: str
    curves: Mapping[str, Curve]


@dataclass(frozen=True)
class Line:
    """A drawn curve: name, colour, dash and path in percent."""

    name: str
    colour: str
    dash: str
    path: str = ""


@dataclass(frozen=True)
class SmallChart:
    """A drawn chart."""

    title: str
    lines: tuple[Line, ...]
    alt: str


@dataclass(frozen=True)
class Tick:
    """A level of the vertical scale: position in percent from below, and text."""

    place: float
    text: str


@dataclass(frozen=True)
class SmallCharts(Piece):
    """Small charts with one legend and one vertical scale; `ends` names both ends of the path."""

    template: ClassVar[str] = "charts.html.j2"
    charts: tuple[SmallChart, ...]
    legend: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    columns: int
    ends: tuple[str, str]


def choose_stroke(place: int) -> tuple[str, str]:
    """Choose colour and dash of a curve by its index.

    Args:
        place: Index from 0.

    Returns:
        Colour and dash; they repeat only after 42 curves.

    Example:
        >>> choose_stroke(0), choose_stroke(8)
        (('#2f74c0', ''), ('#d4622a', '2 2'))
    """
    return SERIES[place % len(SERIES)], DASHES[place % len(DASHES)]


def draw_small_charts(charts: Sequence[Chart], columns: int, ends: tuple[str, str]) -> SmallCharts:
    """Draw charts in rows.

    Args:
        charts: Charts, row by row.
        columns: Number of charts in a row, if they fit.
        ends: Names of both ends of the path.

    Returns:
        Piece of a page.

    Example:
        >>> way = np.array([0.0, 1.0])
        >>> drawn = draw_small_charts([Chart("loss", {"linear": Curve(way, np.array([0.0, 2.0]))})], 1, ("a", "b"))
        >>> drawn.charts[0].lines[0].path, [tick.text for tick in drawn.ticks]
        ('M0.0 100.0L100.0 0.0', ['0.0', '0.5', '1.0', '1.5', '2.0'])
    """
    curves = [curve for chart in charts for curve in chart.curves.values()]
    levels = _levels(np.concatenate([curve.values for curve in curves]))
    low, high = levels[0], levels[-1]
    names = list(dict.fromkeys(name for chart in charts for name in chart.curves))
    legend = {name: Line(name, *choose_stroke(i)) for i, name in enumerate(names)}
    drawn = tuple(_draw(chart, legend, (low, high)) for chart in charts)
    ticks = tuple(Tick(round(100 * (level - low) / (high - low), 2), text) for level, text in _format_levels(levels))
    return SmallCharts(drawn, tuple(legend.values()), ticks, columns, ends)


def _levels(values: np.ndarray) -> list[float]:
    """Choose two to five round levels that span all values; from 0 to 1 for a flat fraction or correlation."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if high - low <= 1e-9 * max(1.0, abs(low)):
        low, high = (0.0, 1.0) if 0 <= low <= 1 else (low - 0.5, high + 0.5)
    ticker = import_for_drawing("matplotlib.ticker").MaxNLocator(nbins=4, steps=(1, 2, 2.5, 5, 10))
    return [round(float(level), 12) for level in ticker.tick_values(low, high)]


def _format_levels(levels: list[float]) -> list[tuple[float, str]]:
    """Format levels with as few decimals as represent them exactly."""
    places = next((p for p in range(9) if all(abs(round(level, p) - level) < 1e-9 for level in levels)), 9)
    return [(level, ("\N{MINUS SIGN}" if level < 0 else "") + f"{abs(level):,.{places}f}") for level in levels]


def _draw(chart: Chart, legend: Mapping[str, Line], span: tuple[float, float]) -> SmallChart:
    lines = tuple(
        Line(name, legend[name].colour, legend[name].dash, _path(curve, span)) for name, curve in chart.curves.items()
    )
    ends = "; ".join(f"{name} {_describe_curve(curve.values)}" for name, curve in chart.curves.items())
    return SmallChart(chart.title, lines, f"{chart.title}: {ends}")


def _path(curve: Curve, span: tuple[float, float]) -> str:
    """Format a curve as an SVG path, with gaps at missing values."""
    low, high = span
    text, pen = "", "M"
    for x, y in zip(curve.way, (high - curve.values) / (high - low), strict=True):
        if not np.isfinite(y):
            pen = "M"
            continue
        text += f"{pen}{100 * x:.1f} {100 * y:.1f}"
        pen = "L"
    return text


def _describe_curve(values: np.ndarray) -> str:
    """Describe the start, end, minimum and maximum of a curve."""
    known = values[np.isfinite(values)]
    if not known.size:
        return "without values"
    first, last, low, high = (format_number(float(value)) for value in (known[0], known[-1], known.min(), known.max()))
    return f"from {first} to {last}, between {low} and {high}"


NEAR = 4.0
"""Height of the close view above both ends, in units of the noise or of the rise of the lowest path."""


def draw_loss(curves: Mapping[str, Curve], noise: float, way: str, palette: Palette = LIGHT) -> Figure:
    """Draw the loss along every path twice: completely, and close to the ends.

    Args:
        curves: Loss along the path by kind; all paths have the same two ends.
        noise: Barrier that is due to chance alone.
        way: Label of the horizontal axis.
        palette: Colours of the paper.

    Returns:
        Figure with the straight line between both ends and the band of noise above it.
    """
    figure = new_figure(8.4, 3.7, palette)
    whole, close = figure.subplots(1, 2)
    first, last = (float(np.median([curve.values[i] for curve in curves.values()])) for i in (0, -1))
    ends = first, last
    for axes, title in ((whole, "complete path"), (close, "close to the ends")):
        style_axes(axes, palette)
        handles = _paths(axes, curves, ends, noise, palette)
        axes.set(xlabel=wrap_label(way, 46), ylabel="loss")
        axes.set_title(title, color=palette.ink, size=9.5, loc="left", pad=5)
    close.set_ylim(*_near(curves, ends, noise))
    names = [*curves, "straight between the ends", "chance: the noise of the samples", "the two models"]
    add_legend(figure, handles, names, palette)
    return figure


def _paths(
    axes: Axes, curves: Mapping[str, Curve], ends: tuple[float, float], noise: float, palette: Palette
) -> list[Artist]:
    lines = [
        axes.plot(curve.way, curve.values, linewidth=1.9, zorder=3, color=colour, linestyle=_dash(dash))[0]
        for curve, (colour, dash) in zip(curves.values(), map(choose_stroke, range(len(curves))), strict=True)
    ]
    (straight,) = axes.plot((0, 1), ends, color=palette.muted, linewidth=1.1, dashes=(3, 2))
    band = axes.fill_between(
        (0, 1), ends, [end + noise for end in ends], color=palette.muted, alpha=0.22, linewidth=0, zorder=1
    )
    points = axes.scatter((0, 1), ends, s=34, color=palette.ink, zorder=5, clip_on=False)
    return [*lines, straight, band, points]


def _dash(dash: str) -> str | tuple[int, tuple[float, ...]]:
    """Convert a dash to multiples of the line width."""
    return (0, tuple(float(part) / 2 for part in dash.split())) if dash else "-"


def _near(curves: Mapping[str, Curve], ends: tuple[float, float], noise: float) -> tuple[float, float]:
    """Choose the close view: from the lowest loss to slightly above the maximum of the lowest path."""
    top, low = max(ends), min(float(np.nanmin(curve.values)) for curve in curves.values())
    rise = min(float(np.nanmax(curve.values)) for curve in curves.values()) - top
    reach = max(1.3 * rise, NEAR * noise, 0.5 * (top - low)) or 1.0
    return low - 0.1 * reach, top + reach
