"""Transitions of samples between clusters along a path."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from perdure.report.charts.figure import new_figure, wrap_label
from perdure.report.charts.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["compute_leaving_fraction", "count_transitions", "draw_flow"]

STATIONS = 13
"""Maximum number of drawn points of a path; streams between more would be too thin to follow."""

WIDTH = 0.011
GAP = 0.05

Labels = Int[np.ndarray, " sample"]
Clusters = Int[np.ndarray, "point sample"]


def count_transitions(before: Labels, after: Labels) -> Float[np.ndarray, "cluster cluster"]:
    """Count the transitions between clusters.

    Args:
        before: Cluster of each sample, from 0.
        after: Cluster of each sample at the next point.

    Returns:
        Fractions of all samples, from the cluster of the row to the cluster of the column.

    Example:
        >>> count_transitions(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])).tolist()
        [[0.25, 0.25], [0.0, 0.5]]
    """
    count = int(max(before.max(), after.max())) + 1
    table = np.zeros((count, count))
    np.add.at(table, (before, after), 1 / len(before))
    return table


def compute_leaving_fraction(clusters: Clusters) -> float:
    """Compute the fraction of samples that leave their first cluster at any point.

    Args:
        clusters: Clusters of all points, matched from point to point.

    Returns:
        Fraction of the samples.

    Example:
        >>> compute_leaving_fraction(np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1]]))
        0.25
    """
    return float((clusters != clusters[0]).any(0).mean())


def draw_flow(clusters: Mapping[str, Clusters], way: str, palette: Palette = LIGHT) -> Figure:
    """Draw the flow of samples between clusters, one band for each path.

    Streams within a cluster are faint; streams to another cluster have the full colour of their origin.

    Args:
        clusters: Clusters of the samples at equally spaced points of each path, by kind.
        way: Label of the horizontal axis.
        palette: Colours of the paper.

    Returns:
        Figure; the path runs to the right.
    """
    figure = new_figure(8.4, 0.6 + 1.45 * len(clusters), palette)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.012, 1.012), ylim=(1.42 * len(clusters) - 0.28, -0.3), xlabel=wrap_label(way, 80))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set(yticks=(), facecolor=palette.paper)
    axes.tick_params(colors=palette.muted, labelsize=9, length=0)
    axes.xaxis.label.set(color=palette.muted, size=9.5)
    for i, (name, points) in enumerate(clusters.items()):
        stations = np.unique(np.linspace(0, len(points) - 1, min(STATIONS, len(points))).astype(int))
        title = (
            f"{wrap_label(name, 60)} · {100 * compute_leaving_fraction(points):.0f}% leave their cluster along the path"
        )
        axes.text(-0.008, 1.42 * i - 0.06, title, color=palette.ink, size=9.5, va="bottom")
        _band(axes, points[stations], stations / max(1, len(points) - 1), 1.42 * i, palette)
    return figure


def _band(axes: Axes, clusters: Clusters, places: np.ndarray, top: float, palette: Palette) -> None:
    """Draw stations and streams of one path."""
    count = int(clusters.max()) + 1
    sizes = np.stack([np.bincount(point, minlength=count) for point in clusters]) / clusters.shape[1]
    starts = top + np.cumsum(sizes, axis=1) * (1 - GAP * (count - 1)) - sizes * (1 - GAP * (count - 1))
    starts += GAP * np.arange(count)
    for (i, j), (a, b) in zip(pairwise(range(len(places))), pairwise(places), strict=True):
        _streams(
            axes, count_transitions(clusters[i], clusters[j]) * (1 - GAP * (count - 1)), (a, b), (starts[i], starts[j])
        )
    for place, start, size in zip(places, starts, sizes, strict=True):
        for cluster in np.flatnonzero(size):
            height = size[cluster] * (1 - GAP * (count - 1))
            _box(axes, (place - WIDTH / 2, start[cluster]), height, SERIES[cluster % len(SERIES)], palette)


def _box(axes: Axes, corner: tuple[float, float], height: float, colour: str, palette: Palette) -> None:
    left, top = corner
    axes.fill_between(
        (left, left + WIDTH), top, top + height, color=colour, edgecolor=palette.paper, linewidth=0.4, zorder=3
    )


def _streams(axes: Axes, table: np.ndarray, ends: tuple[float, float], starts: tuple[np.ndarray, np.ndarray]) -> None:
    """Draw the streams between two stations, ordered at both so that few cross."""
    ease = np.linspace(0, 1, 24)
    x, curve = ends[0] + (ends[1] - ends[0]) * ease, ease * ease * (3 - 2 * ease)
    for source, target in zip(*np.nonzero(table), strict=True):
        size = table[source, target]
        upper = starts[0][source] + table[source, :target].sum()
        lower = starts[1][target] + table[:source, target].sum()
        y = upper + (lower - upper) * curve
        opacity = 0.25 if source == target else 0.8
        axes.fill_between(x, y, y + size, color=SERIES[source % len(SERIES)], alpha=opacity, linewidth=0)
