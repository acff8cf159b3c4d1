"""The removal chart: accuracy while the sites that maps call important are taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from perdure.report.figure import legend, new_figure, quiet
from perdure.report.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["removal_chart"]


def removal_chart(
    shares: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    bounds: Mapping[str, Sequence[float]],
    palette: Palette = LIGHT,
) -> Figure:
    """Draw accuracy against the share of sites taken away, highest attribution first.

    Args:
        shares: of the sites, from 0 to 1.
        curves: accuracy at each share, by the name of network and map.
        bounds: what random maps and the truth come to, dashed.
        palette: the colours.

    Returns:
        The figure; a lower curve is that of a better map of the same network.
    """
    figure = new_figure(7.2, 4.0, palette)
    axes = figure.add_subplot()
    quiet(axes, palette)
    percent = [100 * share for share in shares]
    handles = []
    for i, values in enumerate(curves.values()):
        handles += axes.plot(percent, values, color=SERIES[i % len(SERIES)], linewidth=1.9, marker="o", markersize=4)
    for i, values in enumerate(bounds.values()):
        colour = palette.muted if i % 2 else palette.ink
        handles += axes.plot(percent, values, color=colour, linewidth=1.2, dashes=(4, 1.5 + 1.5 * (i // 2)))
    axes.set(xlabel="sites taken away, %", ylabel="accuracy", ylim=(0, 1.02))
    legend(figure, handles, [*curves, *bounds], palette)
    return figure
