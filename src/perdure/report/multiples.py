"""Small multiples: the same curves in many little charts with equal scales under one legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from perdure.report.figure import require
from perdure.report.palette import SERIES
from perdure.report.pieces import Piece
from perdure.report.table import digits

__all__ = ["Chart", "Charts", "Curve", "Line", "LittleChart", "Tick", "multiples", "stroke"]

DASHES = ("", "7 3", "2 2", "8 3 2 3", "12 4", "4 2 1 2 1 2")
"""Of the lines, in pixels, so that they can be told apart without colour."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over the share of a way; NaN where there is none."""

    way: Float[np.ndarray, " point"]
    values: Float[np.ndarray, " point"]


@dataclass(frozen=True, eq=False)
class Chart:
    """What one of the little charts shows: its title, and its curves by name."""

    title: str
    curves: Mapping[str, Curve]


@dataclass(frozen=True)
class Line:
    """A drawn curve: its name, colour, dash and path in percent."""

    name: str
    colour: str
    dash: str
    path: str = ""


@dataclass(frozen=True)
class LittleChart:
    """One drawn chart."""

    title: str
    lines: tuple[Line, ...]
    alt: str


@dataclass(frozen=True)
class Tick:
    """A level of the vertical scale: its place in percent from below, and its text."""

    place: float
    text: str


@dataclass(frozen=True)
class Charts(Piece):
    """Little charts under one legend and with one vertical scale; `ends` names both ends of the way."""

    template: ClassVar[str] = "charts.html.j2"
    charts: tuple[LittleChart, ...]
    legend: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    columns: int
    ends: tuple[str, str]


def stroke(place: int) -> tuple[str, str]:
    """Choose colour and dash of a curve by its place among all.

    Args:
        place: from 0.

    Returns:
        Both; they repeat only after 42 curves.

    Example:
        >>> stroke(0), stroke(8)
        (('#2f74c0', ''), ('#d4622a', '2 2'))
    """
    return SERIES[place % len(SERIES)], DASHES[place % len(DASHES)]


def multiples(charts: Sequence[Chart], columns: int, ends: tuple[str, str]) -> Charts:
    """Draw charts in rows.

    Args:
        charts: row by row.
        columns: how many in a row, where there is space.
        ends: the names of both ends of the way.

    Returns:
        The piece.

    Example:
        >>> way = np.array([0.0, 1.0])
        >>> made = multiples([Chart("loss", {"linear": Curve(way, np.array([0.0, 2.0]))})], 1, ("a", "b"))
        >>> made.charts[0].lines[0].path, [tick.text for tick in made.ticks]
        ('M0.0 100.0L100.0 0.0', ['0.0', '0.5', '1.0', '1.5', '2.0'])
    """
    curves = [curve for chart in charts for curve in chart.curves.values()]
    levels = _levels(np.concatenate([curve.values for curve in curves]))
    low, high = levels[0], levels[-1]
    names = list(dict.fromkeys(name for chart in charts for name in chart.curves))
    legend = {name: Line(name, *stroke(i)) for i, name in enumerate(names)}
    drawn = tuple(_draw(chart, legend, (low, high)) for chart in charts)
    ticks = tuple(Tick(round(100 * (one - low) / (high - low), 2), text) for one, text in _written(levels))
    return Charts(drawn, tuple(legend.values()), ticks, columns, ends)


def _levels(values: np.ndarray) -> list[float]:
    """Choose two to five round levels that hold all values; those of a flat share or correlation are 0 to 1."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if high - low <= 1e-9 * max(1.0, abs(low)):
        low, high = (0.0, 1.0) if 0 <= low <= 1 else (low - 0.5, high + 0.5)
    ticker = require("matplotlib.ticker").MaxNLocator(nbins=4, steps=(1, 2, 2.5, 5, 10))
    return [round(float(one), 12) for one in ticker.tick_values(low, high)]


def _written(levels: list[float]) -> list[tuple[float, str]]:
    """Write levels with as few decimals as tell them exactly."""
    places = next((p for p in range(9) if all(abs(round(one, p) - one) < 1e-9 for one in levels)), 9)
    return [(one, ("\N{MINUS SIGN}" if one < 0 else "") + f"{abs(one):,.{places}f}") for one in levels]


def _draw(chart: Chart, legend: Mapping[str, Line], span: tuple[float, float]) -> LittleChart:
    lines = tuple(
        Line(name, legend[name].colour, legend[name].dash, _path(curve, span)) for name, curve in chart.curves.items()
    )
    ends = "; ".join(f"{name} {_way(curve.values)}" for name, curve in chart.curves.items())
    return LittleChart(chart.title, lines, f"{chart.title}: {ends}")


def _path(curve: Curve, span: tuple[float, float]) -> str:
    """Write a curve as an SVG path, with a gap where it has no value."""
    low, high = span
    text, pen = "", "M"
    for x, y in zip(curve.way, (high - curve.values) / (high - low), strict=True):
        if not np.isfinite(y):
            pen = "M"
            continue
        text += f"{pen}{100 * x:.1f} {100 * y:.1f}"
        pen = "L"
    return text


def _way(values: np.ndarray) -> str:
    """Say where a curve starts, where it ends, and how far it goes down and up between."""
    known = values[np.isfinite(values)]
    if not known.size:
        return "without values"
    first, last, low, high = (digits(float(one)) for one in (known[0], known[-1], known.min(), known.max()))
    return f"from {first} to {last}, between {low} and {high}"
