"""The vanishing curve: attribution against the distance from the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from perdure.report.charts.figure import add_legend, import_for_drawing, new_figure, style_axes, to_png
from perdure.report.charts.heatmap import UNIFORM_UNIT
from perdure.report.charts.palette import DARK, LIGHT, SERIES, Palette
from perdure.report.pieces import Picture, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Band", "build_vanishing_plot", "draw_interactive_curve", "draw_vanishing_curve"]

FLOOR = 1e-6
"""Smallest value on the logarithmic axis; smaller attributions have no practical use."""

X_TITLE = "steps before the end"


@dataclass(frozen=True, eq=False)
class Band:
    """A profile over the distance from the end with its interval.

    Args:
        mean: Fraction of the attribution at each distance, the last step first; sums to one.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    mean: Float[np.ndarray, " distance"]
    low: Float[np.ndarray, " distance"]
    high: Float[np.ndarray, " distance"]


def draw_vanishing_curve(
    profiles: Mapping[str, Band], truth: Float[np.ndarray, " distance"] | None = None, palette: Palette = LIGHT
) -> Figure:
    """Draw attribution against distance from the end; time runs to the right, as in the maps.

    Fractions are divided by that of a uniform map, 1/T, so the null is a flat line at one.

    Args:
        profiles: Profile of each model or method by name.
        truth: Fraction of the relevant elements at each distance; None when unknown.
        palette: Colours of the paper.

    Returns:
        Figure.
    """
    figure = new_figure(8.4, 3.9, palette)
    axes = figure.add_subplot()
    style_axes(axes, palette)
    handles, names = [], []
    for band, name, colour in zip(profiles.values(), profiles, _colours(profiles), strict=True):
        steps = np.arange(len(band.mean))
        axes.fill_between(steps, band.low * len(steps), band.high * len(steps), color=colour, alpha=0.2, linewidth=0)
        handles += axes.plot(steps, band.mean * len(steps), color=colour, linewidth=1.9)
        names.append(name)
    if truth is not None:
        handles += axes.plot(truth * len(truth), color=palette.ink, linewidth=1.3, dashes=(4, 3))
        names.append("truth")
    handles.append(axes.axhline(1.0, color=palette.muted, linewidth=1.1))
    names.append("null: uniform map")
    axes.invert_xaxis()
    axes.set(xlabel=X_TITLE, ylabel=UNIFORM_UNIT, ylim=(0, None))
    axes.margins(x=0.01)
    add_legend(figure, handles, names, palette)
    return figure


def draw_interactive_curve(profiles: Mapping[str, Band], truth: Float[np.ndarray, " distance"] | None = None) -> Any:
    """Draw the vanishing curve with interactive values.

    Names are escaped, so that they are never interpreted as markup.

    Args:
        profiles: Profile of each model or method by name.
        truth: Fraction of the relevant elements at each distance; None when unknown.

    Returns:
        Plotly figure without colours of paper and ink, which the page sets.
    """
    graph = import_for_drawing("plotly.graph_objects")
    traces = []
    for band, name, colour in zip(profiles.values(), profiles, _colours(profiles), strict=True):
        traces += _band_traces(graph, band, escape(name), colour)
    steps = max((len(band.mean) for band in profiles.values()), default=1)
    if truth is not None:
        traces.append(_line(graph, truth * len(truth), "truth", {"color": "#8a929b", "width": 1.8, "dash": "6px,4px"}))
    traces.append(_line(graph, np.ones(steps), "null: uniform map", {"color": "#8a929b", "width": 1.3}))
    layout = {
        "xaxis": {"title": {"text": X_TITLE}, "autorange": "reversed", "zeroline": False},
        "yaxis": {"title": {"text": UNIFORM_UNIT}, "zeroline": False, "rangemode": "tozero"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 56, "r": 12, "t": 12, "b": 48},
        "hovermode": "x unified",
        "template": None,
    }
    return graph.Figure(traces, layout)


def build_vanishing_plot(
    profiles: Mapping[str, Band], truth: Float[np.ndarray, " distance"] | None, alt: str, caption: str
) -> Plot:
    """Build the piece of a page with the curve on a linear or logarithmic axis.

    Args:
        profiles: Profile of each model or method by name.
        truth: Fraction of the relevant elements at each distance; None when unknown.
        alt: Description for screen readers.
        caption: Text below the figure.

    Returns:
        Piece of a page, with a static figure for readers without scripts.
    """
    light, dark = (to_png(draw_vanishing_curve(profiles, truth, palette)) for palette in (LIGHT, DARK))
    top = max((float(band.high.max()) * len(band.high) for band in profiles.values()), default=1.0)
    bounds = [float(np.log10(FLOOR)), float(np.log10(max(top, 1.0))) + 0.2]
    choices: dict[str, dict[str, Any]] = {
        "linear": {"yaxis.type": "linear", "yaxis.autorange": True},
        "logarithmic": {"yaxis.type": "log", "yaxis.range": bounds},
    }
    figure = draw_interactive_curve(profiles, truth).to_json()
    return Plot(figure, alt, caption, Picture(light, dark, alt, caption), choices)


def _colours(profiles: Mapping[str, Band]) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(len(profiles))]


def _band_traces(graph: Any, band: Band, name: str, colour: str) -> list[Any]:
    steps = len(band.mean)
    around = np.concatenate([np.arange(steps), np.arange(steps)[::-1]])
    border = np.concatenate([band.high, band.low[::-1]]) * steps
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    area = graph.Scatter(
        x=around,
        y=border.clip(FLOOR),
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.2)",
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=name,
        showlegend=False,
    )
    return [area, _line(graph, band.mean * steps, name, {"color": colour, "width": 2.4})]


def _line(graph: Any, values: np.ndarray, name: str, line: Mapping[str, Any]) -> Any:
    return graph.Scatter(x=np.arange(len(values)), y=values, name=name, mode="lines", line=line, legendgroup=name)
