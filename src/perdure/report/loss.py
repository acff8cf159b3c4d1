"""The loss along paths: how high the ridge between two trainings is, and whether chance alone explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from perdure.report.figure import label, legend, new_figure, quiet
from perdure.report.multiples import Curve, stroke
from perdure.report.palette import LIGHT, Palette

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["loss_chart"]

NEAR = 4.0
"""How far above both ends the close view reaches, in units of the noise or of the lowest path's rise."""


def loss_chart(curves: Mapping[str, Curve], noise: float, way: str, palette: Palette = LIGHT) -> Figure:
    """Draw the loss along every path twice: as a whole, and close to the ends.

    Args:
        curves: the loss over the share of the way, by kind; all start and end at the same two models.
        noise: how far chance alone lifts a barrier.
        way: what the horizontal axis is.
        palette: the colours.

    Returns:
        The figure, with the straight line between both ends and the band of noise above it.
    """
    figure = new_figure(8.4, 3.7, palette)
    whole, close = figure.subplots(1, 2)
    first, last = (float(np.median([curve.values[i] for curve in curves.values()])) for i in (0, -1))
    ends = first, last
    for axes, title in ((whole, "the whole way"), (close, "close to the ends")):
        quiet(axes, palette)
        handles = _paths(axes, curves, ends, noise, palette)
        axes.set(xlabel=label(way, 46), ylabel="loss")
        axes.set_title(title, color=palette.ink, size=9.5, loc="left", pad=5)
    close.set_ylim(*_near(curves, ends, noise))
    names = [*curves, "straight between the ends", "chance: the noise of the samples", "the two models"]
    legend(figure, handles, names, palette)
    return figure


def _paths(
    axes: Axes, curves: Mapping[str, Curve], ends: tuple[float, float], noise: float, palette: Palette
) -> list[Artist]:
    lines = [
        axes.plot(curve.way, curve.values, linewidth=1.9, zorder=3, color=colour, linestyle=_dash(dash))[0]
        for curve, (colour, dash) in zip(curves.values(), map(stroke, range(len(curves))), strict=True)
    ]
    (straight,) = axes.plot((0, 1), ends, color=palette.muted, linewidth=1.1, dashes=(3, 2))
    band = axes.fill_between(
        (0, 1), ends, [end + noise for end in ends], color=palette.muted, alpha=0.22, linewidth=0, zorder=1
    )
    points = axes.scatter((0, 1), ends, s=34, color=palette.ink, zorder=5, clip_on=False)
    return [*lines, straight, band, points]


def _dash(dash: str) -> str | tuple[int, tuple[float, ...]]:
    """Write a dash in widths of the line."""
    return (0, tuple(float(part) / 2 for part in dash.split())) if dash else "-"


def _near(curves: Mapping[str, Curve], ends: tuple[float, float], noise: float) -> tuple[float, float]:
    """Choose the close view: from the lowest loss to a little above what the lowest path needs."""
    top, low = max(ends), min(float(np.nanmin(curve.values)) for curve in curves.values())
    rise = min(float(np.nanmax(curve.values)) for curve in curves.values()) - top
    reach = max(1.3 * rise, NEAR * noise, 0.5 * (top - low)) or 1.0
    return low - 0.1 * reach, top + reach
