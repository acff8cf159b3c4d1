"""Clusters of samples in each run, and the choice of their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from perdure.report.charts.figure import add_legend, new_figure, style_axes, wrap_label
from perdure.report.charts.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ClusterScan", "compute_moved_fraction", "draw_cluster_panels", "draw_cluster_scan"]

MOST_POINTS = 400
"""Maximum number of samples in a panel; more would overlap."""

MOST_IN_ALL = 4000
"""Maximum number of points in a figure."""

MARKERS = "os^DvPX"
COLUMNS = 5
GAP = 0.12

Clusters = Int[np.ndarray, "run sample"]


def compute_moved_fraction(clusters: Clusters) -> Float[np.ndarray, " run"]:
    """Compute the fraction of samples in another cluster than in the first run.

    Args:
        clusters: Clusters of each run, matched to those of the first run.

    Returns:
        Fraction for each run; 0 for the first.

    Example:
        >>> compute_moved_fraction(np.array([[0, 0, 1, 1], [0, 1, 1, 1]])).tolist()
        [0.0, 0.25]
    """
    fractions: np.ndarray = (clusters != clusters[0]).mean(1)
    return fractions


def draw_cluster_panels(
    points: Float[np.ndarray, "sample 2"], clusters: Clusters, names: Sequence[str], palette: Palette = LIGHT
) -> Figure:
    """Draw the samples of each run at the same positions, so that only colours change.

    Samples in another cluster than in the first run are outlined; the others are faint.

    Args:
        points: Positions of the samples, from the vectors of the first run.
        clusters: Clusters of each run, matched to those of the first run.
        names: Names of the runs.
        palette: Colours of the paper.

    Returns:
        Figure; colour and marker identify the cluster.
    """
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(8.4, 0.45 + rows * 8.4 / (max(columns, 3) * (1 + GAP)) * (1.25 + GAP), palette)
    axes = figure.add_subplot()
    axes.set(xlim=(-GAP / 2, columns * (1 + GAP) - GAP / 2), ylim=(rows * (1.25 + GAP) - GAP, -0.22))
    axes.set_aspect("equal", anchor="W")
    axes.set_axis_off()
    corners = np.array([((i % columns) * (1 + GAP), (i // columns) * (1.25 + GAP)) for i in range(len(names))])
    for i, (name, fraction) in enumerate(zip(names, compute_moved_fraction(clusters), strict=True)):
        (x, y), title = (
            corners[i],
            wrap_label(name, 22).split("\n")[0] + (f" · {100 * fraction:.0f}% moved" if i else ""),
        )
        axes.text(x, y - 0.05, title, color=palette.ink, size=9, va="bottom")
        axes.fill_between((x, x + 1), y, y + 1, color=palette.card, linewidth=0, zorder=0)
    most = min(MOST_POINTS, MOST_IN_ALL // len(names), len(points))
    every = np.unique(np.linspace(0, len(points) - 1, most).astype(int))
    _points(axes, corners[:, None] + _unit(points)[every], clusters[:, every], palette)
    present = np.unique(clusters)
    handles = [axes.scatter([], [], s=24, color=_colour(c), marker=_marker(c)) for c in present]
    add_legend(figure, handles, [f"cluster {c + 1}" for c in present], palette)
    return figure


def _points(axes: Axes, places: Float[np.ndarray, "run sample 2"], clusters: Clusters, palette: Palette) -> None:
    """Draw all runs cluster by cluster: unchanged samples small and faint, moved samples outlined."""
    away = clusters != clusters[0]
    for cluster in np.unique(clusters):
        members, colour, marker = clusters == cluster, _colour(cluster), _marker(cluster)
        x, y = places[members & ~away].T
        axes.scatter(x, y, s=9, color=colour, marker=marker, alpha=0.45, linewidths=0)
        x, y = places[members & away].T
        axes.scatter(x, y, s=17, color=colour, marker=marker, edgecolors=palette.ink, linewidths=0.7, zorder=3)


def _unit(points: np.ndarray) -> np.ndarray:
    """Scale points to a square; outliers are clipped to its border."""
    low, high = np.nanquantile(points, (0.01, 0.99), axis=0)
    width = float((high - low).max()) or 1.0
    middle = (low + high) / 2
    unit: np.ndarray = np.clip((points - middle) / width * 0.9 + 0.5, 0.02, 0.98)
    return unit * (1, -1) + (0, 1)


def _colour(cluster: int) -> str:
    return SERIES[cluster % len(SERIES)]


def _marker(cluster: int) -> str:
    """Choose different markers for clusters of equal colour."""
    return MARKERS[(cluster + cluster // len(SERIES)) % len(MARKERS)]


@dataclass(frozen=True)
class ClusterScan:
    """The choice of the number of clusters.

    Args:
        count: Chosen number.
        reason: Reason for the choice.
        counts: Candidate numbers.
        silhouettes: Silhouette of each candidate.
        inertias: Inertia of each candidate.
    """

    count: int
    reason: str
    counts: tuple[int, ...]
    silhouettes: tuple[float, ...]
    inertias: tuple[float, ...]


def draw_cluster_scan(scans: Mapping[str, ClusterScan], palette: Palette = LIGHT) -> Figure:
    """Draw silhouette and inertia over the number of clusters, with a ring at the chosen number.

    Args:
        scans: Scan of each method.
        palette: Colours of the paper.

    Returns:
        Figure; inertia is relative to that of the fewest clusters, as methods have no common unit.
    """
    figure = new_figure(8.4, 3.3, palette)
    left, right = figure.subplots(1, 2)
    handles = []
    for i, scan in enumerate(scans.values()):
        style = (SERIES[i % len(SERIES)], "osD^vPX"[i % 7])
        inertias = np.asarray(scan.inertias) / ((scan.inertias or (1.0,))[0] or 1.0)
        handles.append(_line(left, scan, np.asarray(scan.silhouettes), style, palette))
        _line(right, scan, inertias, style, palette)
    for axes, title in ((left, "silhouette (higher is better)"), (right, "inertia, relative to the first")):
        style_axes(axes, palette)
        axes.set(xlabel="number of clusters", ylabel=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
    right.set_ylim(0, None)
    add_legend(figure, handles, list(scans), palette)
    return figure


def _line(axes: Axes, scan: ClusterScan, values: np.ndarray, style: tuple[str, str], palette: Palette) -> Artist:
    colour, marker = style
    (line,) = axes.plot(scan.counts, values, linewidth=1.8, markersize=4, color=colour, marker=marker)
    if scan.count in scan.counts:
        taken = values[scan.counts.index(scan.count)]
        axes.scatter(scan.count, taken, s=95, facecolor="none", edgecolor=palette.ink, linewidth=1.3, zorder=4)
    return line
