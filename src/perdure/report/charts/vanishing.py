"""The vanishing curve: attribution against the distance from the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from perdure.report.charts.figure import add_legend, draw_picture, new_figure, style_axes
from perdure.report.charts.heatmap import UNIFORM_UNIT
from perdure.report.charts.palette import LIGHT, SERIES, Palette
from perdure.report.pieces import Folds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Band", "build_vanishing_plot", "draw_vanishing_curve"]

FLOOR = 1e-6
"""Smallest value on the logarithmic axis; smaller attributions have no practical use."""

X_TITLE = "steps before the end"


@dataclass(frozen=True, eq=False)
class Band:
    """A profile over the distance from the end with its interval.

    Args:
        mean: Fraction of the attribution at each distance, the last step first, over the series that have it; sums to
            one where all series are equally long.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    mean: Float[np.ndarray, " distance"]
    low: Float[np.ndarray, " distance"]
    high: Float[np.ndarray, " distance"]


def draw_vanishing_curve(
    profiles: Mapping[str, Band],
    truth: Float[np.ndarray, " distance"] | None = None,
    palette: Palette = LIGHT,
    logarithmic: bool = False,
) -> Figure:
    """Draw attribution against distance from the end; time runs to the right, as in the maps.

    Fractions are divided by that of a uniform map, 1/T, so the null is a flat line at one.

    Args:
        profiles: Profile of each model or method by name.
        truth: Fraction of the relevant elements at each distance; None when unknown.
        palette: Colours of the paper.
        logarithmic: Whether the vertical axis is logarithmic; values below 1e-6 are drawn there.

    Returns:
        Figure.
    """
    figure = new_figure(8.4, 3.9, palette)
    axes = figure.add_subplot()
    style_axes(axes, palette)
    handles, names = [], []
    for band, name, colour in zip(profiles.values(), profiles, _colours(profiles), strict=True):
        steps = np.arange(len(band.mean))
        low, mean, high = (_at_least(values * len(steps), logarithmic) for values in (band.low, band.mean, band.high))
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
        handles += axes.plot(steps, mean, color=colour, linewidth=1.9)
        names.append(name)
    if truth is not None:
        handles += axes.plot(
            _at_least(truth * len(truth), logarithmic), color=palette.ink, linewidth=1.3, dashes=(4, 3)
        )
        names.append("truth")
    handles.append(axes.axhline(1.0, color=palette.muted, linewidth=1.1))
    names.append("null: uniform map")
    axes.invert_xaxis()
    axes.set(xlabel=X_TITLE, ylabel=UNIFORM_UNIT, **({"yscale": "log"} if logarithmic else {"ylim": (0, None)}))
    axes.margins(x=0.01)
    add_legend(figure, handles, names, palette)
    return figure


def build_vanishing_plot(
    profiles: Mapping[str, Band], truth: Float[np.ndarray, " distance"] | None, alt: str, caption: str
) -> Folds:
    """Build the piece of a page with the curve on a linear and on a logarithmic axis.

    Args:
        profiles: Profile of each model or method by name.
        truth: Fraction of the relevant elements at each distance; None when unknown.
        alt: Description for screen readers.
        caption: Text below the figure.

    Returns:
        Piece of a page.
    """
    axes = (("linear axis", False), ("logarithmic axis", True))
    return Folds(
        tuple(
            (name, draw_picture(partial(draw_vanishing_curve, profiles, truth, logarithmic=log), alt, caption))
            for name, log in axes
        )
    )


def _at_least(values: np.ndarray, logarithmic: bool) -> np.ndarray:
    """Raise values to the floor of a logarithmic axis."""
    return values.clip(FLOOR) if logarithmic else values


def _colours(profiles: Mapping[str, Band]) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(len(profiles))]
