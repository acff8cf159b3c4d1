"""The choice of the number of clusters: silhouette and inertia over k."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perdure.report.figure import legend, new_figure, quiet
from perdure.report.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Scan", "scan_chart"]


@dataclass(frozen=True)
class Scan:
    """How many clusters were tried and taken.

    Args:
        count: the number taken.
        reason: why.
        counts: the numbers tried.
        silhouettes: of each.
        inertias: of each.
    """

    count: int
    reason: str
    counts: tuple[int, ...]
    silhouettes: tuple[float, ...]
    inertias: tuple[float, ...]


def scan_chart(scans: Mapping[str, Scan], palette: Palette = LIGHT) -> Figure:
    """Draw silhouette and inertia over the number of clusters, a ring at the number taken.

    Args:
        scans: by method.
        palette: the colours.

    Returns:
        The figure; inertia is a share of that of the fewest clusters, as methods have no common unit.
    """
    figure = new_figure(8.4, 3.3, palette)
    left, right = figure.subplots(1, 2)
    handles = []
    for i, scan in enumerate(scans.values()):
        style = (SERIES[i % len(SERIES)], "osD^vPX"[i % 7])
        inertias = np.asarray(scan.inertias) / ((scan.inertias or (1.0,))[0] or 1.0)
        handles.append(_line(left, scan, np.asarray(scan.silhouettes), style, palette))
        _line(right, scan, inertias, style, palette)
    for axes, title in ((left, "silhouette (more is clearer)"), (right, "inertia, share of the first")):
        quiet(axes, palette)
        axes.set(xlabel="number of clusters", ylabel=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
    right.set_ylim(0, None)
    legend(figure, handles, list(scans), palette)
    return figure


def _line(axes: Axes, scan: Scan, values: np.ndarray, style: tuple[str, str], palette: Palette) -> Artist:
    colour, marker = style
    (line,) = axes.plot(scan.counts, values, linewidth=1.8, markersize=4, color=colour, marker=marker)
    if scan.count in scan.counts:
        taken = values[scan.counts.index(scan.count)]
        axes.scatter(scan.count, taken, s=95, facecolor="none", edgecolor=palette.ink, linewidth=1.3, zorder=4)
    return line
