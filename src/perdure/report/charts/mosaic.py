"""Mosaics of maps for studies: samples, moving boxes and digits, in rows and columns with a common colour scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float

from perdure.report.charts.figure import import_for_drawing, new_figure, wrap_label
from perdure.report.charts.heatmap import (
    COVERED,
    UNIFORM_UNIT,
    Limits,
    find_limits,
    make_colour_map,
    relative_to_uniform,
    trace_outline,
)
from perdure.report.charts.palette import LIGHT, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Column", "draw_digits", "draw_mosaic", "draw_moving_boxes", "draw_sample_grid"]

Maps = Float[np.ndarray, "row time feature"]
Truth = Bool[np.ndarray, "row time feature"]


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a mosaic.

    Args:
        title: Title of the column.
        maps: Map of each row.
        limits: Range of the colours; adjacent columns with equal limits and unit have one colour bar.
        unit: Name of the values.
    """

    title: str
    maps: Maps
    limits: Limits
    unit: str


def draw_mosaic(
    columns: Sequence[Column],
    rows: Sequence[str],
    truth: Truth | None = None,
    time: Literal["across", "down"] = "across",
    palette: Palette = LIGHT,
) -> Figure:
    """Draw maps in rows and columns.

    Args:
        columns: Columns of equal length.
        rows: Title of each row.
        truth: Relevant elements of each row, which are outlined.
        time: Direction of time: "across" to the right, "down" as in a scanned image.
        palette: Colours of the paper.

    Returns:
        Figure.
    """
    height, width = len(rows), len(columns)
    figure = new_figure(0.8 + 1.9 * width, 0.9 + 1.9 * height, palette)
    axes = figure.subplots(height, width, squeeze=False, sharex=True, sharey=True)
    for i, title in enumerate(rows):
        for j, column in enumerate(columns):
            known = None if truth is None else truth[i]
            _draw(axes[i, j], column.maps[i], column.limits, known, time, palette)
        axes[i, 0].set_ylabel(wrap_label(title, 22), color=palette.muted, size=9)
    for j, column in enumerate(columns):
        axes[0, j].set_title(wrap_label(column.title, 20), color=palette.ink, size=9.5, pad=6)
    _colour_bars(figure, axes, columns, palette)
    return figure


def draw_sample_grid(
    inputs: Maps,
    maps: Mapping[str, Maps],
    truth: Truth | None = None,
    rows: Sequence[str] = (),
    palette: Palette = LIGHT,
) -> Figure:
    """Draw samples and their maps: a column of inputs, then a column for each model or method.

    Args:
        inputs: Samples.
        maps: Attributions by name.
        truth: Relevant elements, which are outlined.
        rows: Title of each sample.
        palette: Colours of the paper.

    Returns:
        Figure; maps are relative to a uniform map and have one colour scale.
    """
    columns = [Column("input", inputs, find_limits([inputs]), "value"), *_scale_together(maps)]
    return draw_mosaic(columns, rows or [""] * len(inputs), truth, palette=palette)


def draw_moving_boxes(
    means: Mapping[str, Maps], positions: Sequence[str], truth: Truth, palette: Palette = LIGHT
) -> Figure:
    """Draw the mean map of each model for each position of a box.

    Args:
        means: Mean attributions by model, one map for each position.
        positions: Titles of the positions.
        truth: Box at each position.
        palette: Colours of the paper.

    Returns:
        Figure with a row for each position and a column for each model.
    """
    return draw_mosaic(_scale_together(means), positions, truth, palette=palette)


def draw_digits(images: Maps, maps: Mapping[str, Maps], rows: Sequence[str], palette: Palette = LIGHT) -> Figure:
    """Draw digits that are read row by row, and their maps, upright.

    Args:
        images: Digit of each row; a step is a line of pixels.
        maps: Attributions by name.
        rows: Title of each digit.
        palette: Colours of the paper.

    Returns:
        Figure.
    """
    columns = [Column("digit", images, find_limits([images]), "value"), *_scale_together(maps)]
    return draw_mosaic(columns, rows, time="down", palette=palette)


def _scale_together(maps: Mapping[str, Maps]) -> list[Column]:
    even = {name: relative_to_uniform(values) for name, values in maps.items()}
    span = find_limits(even.values(), COVERED)
    return [Column(name, values, span, UNIFORM_UNIT) for name, values in even.items()]


def _draw(axes: Axes, values: np.ndarray, span: Limits, truth: np.ndarray | None, time: str, palette: Palette) -> None:
    steps, features = values.shape
    upright = time == "down"
    width, height = (features, steps) if upright else (steps, features)
    axes.imshow(
        values if upright else values.T,
        cmap=make_colour_map(span, palette),
        vmin=span.low,
        vmax=span.high,
        extent=(0, width, height, 0),
        aspect="equal" if upright else "auto",
        interpolation="nearest",
    )
    if truth is not None:
        lines = trace_outline(truth.T if upright else truth)
        axes.add_collection(
            import_for_drawing("matplotlib.collections").LineCollection(lines, colors=palette.truth, linewidths=1.2)
        )
    axes.set(xticks=(0, width), yticks=(0, height))
    axes.tick_params(colors=palette.muted, labelsize=7.5, length=0)
    for spine in axes.spines.values():
        spine.set(color=palette.rule, linewidth=0.8)


def _colour_bars(figure: Figure, axes: np.ndarray, columns: Sequence[Column], palette: Palette) -> None:
    """Draw one colour bar below each group of columns with a common scale."""
    groups: dict[tuple[Limits, str], list[int]] = {}
    for j, column in enumerate(columns):
        groups.setdefault((column.limits, column.unit), []).append(j)
    for (_, unit), members in groups.items():
        below = list(axes[:, members].flat)
        shrink = min(0.9, 1.6 / len(members) if len(members) > 1 else 0.9)
        bar = figure.colorbar(axes[0, members[0]].images[0], ax=below, location="bottom", shrink=shrink, aspect=22)
        bar.outline.set_visible(False)
        bar.ax.tick_params(colors=palette.muted, labelsize=7.5, length=0)
        bar.set_label(unit, color=palette.muted, size=8.5)
