"""One number against another, a point for each thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from perdure.report.figure import label, legend, new_figure, quiet
from perdure.report.palette import LIGHT, SERIES, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["against_chart"]

MARKERS = "os^DvPX"


def against_chart(
    series: Mapping[str, Float[np.ndarray, "point 2"]], across: str, up: str, palette: Palette = LIGHT
) -> Figure:
    """Draw points of several series, across by powers of ten; series of equal colour differ by their marks.

    Args:
        series: the points of each, by name.
        across: what the horizontal axis is, with its unit; below a millionth it is linear, so that zero has a place.
        up: what the vertical axis is.
        palette: the colours.

    Returns:
        The figure.
    """
    figure = new_figure(7.6, 4.6, palette)
    axes = figure.add_subplot()
    quiet(axes, palette)
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
    axes.set_xscale("symlog", linthresh=1e-6)
    axes.set(xlabel=label(across, 80), ylabel=label(up, 40))
    legend(figure, handles, list(series), palette)
    return figure
