"""Heat maps of series and images: one pixel per element, outlined truth, and a common colour scale."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from perdure.report.charts.figure import import_for_drawing
from perdure.report.charts.palette import DARK, LIGHT, Palette
from perdure.report.numbers import format_number
from perdure.report.pieces import ColourScale, Panel

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = [
    "COVERED",
    "UNIFORM_UNIT",
    "Limits",
    "add_labels",
    "coarsen",
    "draw_colour_scale",
    "draw_image_panel",
    "draw_map_panel",
    "draw_panel",
    "draw_pixels",
    "find_limits",
    "make_colour_map",
    "relative_to_uniform",
    "trace_outline",
]

LEVELS = 127
"""Number of colours of a drawn map, and the index of transparency after them."""

COVERED = 0.95
"""Fraction of the elements within a scale of attributions, so that a diffuse map is visible next to a peaked one."""

MOST_NAMES = 12
"""Maximum number of features whose names fit next to a map."""

UNIFORM_UNIT = "attribution, uniform map = 1"
"""Unit of maps and curves with a common scale."""

Segment = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Limits:
    """The range of a colour scale.

    Args:
        high: Value with the strongest colour; larger values have the same colour.
        signed: Whether the scale starts at -high rather than at zero.
    """

    high: float
    signed: bool

    @property
    def low(self) -> float:
        """Value at the start of the scale."""
        return -self.high if self.signed else 0.0


def find_limits(maps: Iterable[Float[np.ndarray, "..."]], covered: float = 0.99) -> Limits:
    """Find a common colour scale of maps that a few extreme elements do not stretch.

    Args:
        maps: Arrays of any shape; NaN marks elements that do not exist.
        covered: Fraction of the elements, by absolute value, within the scale.

    Returns:
        Limits, symmetric about zero if a value is negative.

    Example:
        >>> find_limits([np.array([0.0, 1.0, 2.0]), np.array([-4.0])], covered=1.0)
        Limits(high=4.0, signed=True)
    """
    values = np.concatenate([np.ravel(values) for values in maps])
    values = values[np.isfinite(values)]
    size = np.abs(values)
    high = float(np.quantile(size, covered)) if size.size else 0.0
    return Limits(high or float(size.max(initial=0.0)) or 1.0, bool((values < 0).any()))


def relative_to_uniform(maps: Float[np.ndarray, "batch *site"]) -> Float[np.ndarray, "batch *site"]:
    """Divide maps by their mean absolute value, so that maps of different scale have a common colour scale.

    A uniform map is 1 at each element. Signs are kept.

    Args:
        maps: Attributions; NaN marks elements that do not exist.

    Returns:
        Maps divided by the mean of their absolute values; a map of zeros stays zero.

    Example:
        >>> relative_to_uniform(np.array([[[1.0, -3.0]]])).tolist()
        [[[0.5, -1.5]]]
    """
    filled = np.isfinite(maps)
    axes = tuple(range(1, maps.ndim))
    mass = np.where(filled, np.abs(maps), 0.0).sum(axes, keepdims=True)
    sites = filled.sum(axes, keepdims=True)
    relative: np.ndarray = np.divide(maps * sites, mass, out=np.zeros_like(maps, dtype=float), where=mass > 0)
    return relative


def trace_outline(truth: Bool[np.ndarray, "time feature"]) -> list[Segment]:
    """Trace the border of the relevant elements.

    Args:
        truth: True at relevant elements.

    Returns:
        Straight segments of maximum length between corners (step, feature).

    Example:
        >>> trace_outline(np.array([[True], [True]]))
        [((0, 0), (0, 1)), ((2, 0), (2, 1)), ((0, 0), (2, 0)), ((0, 1), (2, 1))]
    """
    across = [((t, a), (t, b)) for t, a, b in _borders(truth)]
    along = [((a, f), (b, f)) for f, a, b in _borders(truth.T)]
    return across + along


def make_colour_map(scale: Limits, palette: Palette) -> Colormap:
    """Create the colour map of a scale.

    Args:
        scale: Range; sequential from the colour of the paper, or diverging about it when signed.
        palette: Colours of the paper.

    Returns:
        Colour map in which NaN is transparent.
    """
    stops = palette.diverging if scale.signed else palette.sequential
    colours: Colormap = import_for_drawing("matplotlib.colors").LinearSegmentedColormap.from_list(
        "perdure", stops, N=512
    )
    return colours


def draw_pixels(values: Float[np.ndarray, "time feature"], scale: Limits, palette: Palette = LIGHT) -> bytes:
    """Draw a map as PNG with one pixel per element: time to the right, features downwards.

    Args:
        values: Values; only their colours are clipped.
        scale: Range of the colours.
        palette: Colours of the paper.

    Returns:
        Bytes of the file.
    """
    shown = (np.clip(values.T, scale.low, scale.high) - scale.low) / (scale.high - scale.low)
    index = np.where(np.isfinite(shown), np.round(np.nan_to_num(shown) * (LEVELS - 1)), LEVELS).astype(np.uint8)
    colours: np.ndarray = make_colour_map(scale, palette)(np.linspace(0, 1, LEVELS), bytes=True)
    image = import_for_drawing("PIL.Image").fromarray(index)
    image.putpalette([*colours[:, :3].ravel().tolist(), 0, 0, 0])
    buffer = io.BytesIO()
    image.save(buffer, format="png", transparency=LEVELS, optimize=True)
    return buffer.getvalue()


def coarsen(values: Float[np.ndarray, "row column"], pixels: int | None) -> Float[np.ndarray, "row column"]:
    """Average blocks of a map that has more elements than pixels to draw it with.

    Args:
        values: Values; NaN marks elements that do not exist, which no mean contains.
        pixels: Maximum number of elements of the result; None keeps all.

    Returns:
        Mean of each block; the map itself where it is small enough.

    Example:
        >>> coarsen(np.array([[1.0, 3.0, 5.0, np.nan]]), 2).tolist()
        [[2.0, 5.0]]
    """
    if pixels is None or values.size <= pixels:
        return values
    axis = int(values.shape[1] > values.shape[0])
    blocks = -(-values.shape[axis] // 2)
    return coarsen(_halve(values, axis, blocks), pixels)


def _halve(values: np.ndarray, axis: int, blocks: int) -> np.ndarray:
    """Average pairs of adjacent elements along an axis."""
    starts, known = np.arange(blocks) * 2, np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0), starts, axis)
    count = np.add.reduceat(known.astype(float), starts, axis)
    halved: np.ndarray = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return halved


def draw_panel(
    values: Float[np.ndarray, "time feature"],
    scale: Limits,
    truth: Bool[np.ndarray, "time feature"] | None = None,
    caption: str = "",
    alt: str = "",
    pixels: int | None = None,
) -> Panel:
    """Draw a map for a page, for light and for dark paper.

    Args:
        values: Values of the map.
        scale: Range of the colours.
        truth: Relevant elements, which are outlined; None for no outline.
        caption: Title.
        alt: Description for screen readers; the caption when empty.
        pixels: Maximum number of pixels; a larger map is drawn by the means of its blocks. None for one per element.

    Returns:
        Piece of a page.
    """
    path = "" if truth is None else "".join(f"M{a} {b}L{c} {d}" for (a, b), (c, d) in trace_outline(truth))
    steps, features = values.shape
    drawn = coarsen(values, pixels)
    light, dark = (draw_pixels(drawn, scale, palette) for palette in (LIGHT, DARK))
    return Panel(light, dark, (steps, features), path, caption, alt or caption)


def add_labels(drawn: Panel, names: tuple[str, ...] = ()) -> Panel:
    """Add names of the features, if they fit, and of the first and last step to a map of series.

    Args:
        drawn: Map.
        names: Names of the features; empty for none.

    Returns:
        Piece of a page with labels.

    Example:
        >>> labelled = add_labels(draw_panel(np.zeros((5, 2)), Limits(1.0, False)), ("speed", "height"))
        >>> labelled.rows, labelled.ends
        (('speed', 'height'), ('step 1', '5'))
    """
    steps, features = drawn.size
    rows = names if len(names) == features <= MOST_NAMES else ()
    return replace(drawn, rows=rows, ends=("step 1", str(steps)) if steps > 1 else ("step 1",))


def draw_colour_scale(scale: Limits, caption: str, unit: str = "") -> ColourScale:
    """Draw the colour scale of maps.

    Args:
        scale: Range of the colours.
        caption: Name of the values.
        unit: Unit after each tick.

    Returns:
        Piece of a page, with three ticks.
    """
    strip = np.linspace(scale.low, scale.high, 256)[:, None]
    ticks = (scale.low, (scale.low + scale.high) / 2, scale.high)
    light, dark = (draw_pixels(strip, scale, palette) for palette in (LIGHT, DARK))
    return ColourScale(light, dark, tuple(format_number(tick, unit) for tick in ticks), caption)


def _borders(truth: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield (line, start, end) of each stretch along the second axis where neighbours on the first axis differ."""
    padded = np.pad(truth.astype(np.int8), ((1, 1), (0, 0)))
    for line, differs in enumerate(np.diff(padded, axis=0) != 0):
        ends = np.flatnonzero(np.diff(np.pad(differs.astype(np.int8), 1)))
        for start, end in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
            yield line, start, end


Truth = Bool[np.ndarray, "row column"]


def draw_image_panel(
    image: Float[np.ndarray, "channel row column"],
    span: tuple[float, float],
    truth: Truth | None = None,
    caption: str = "",
    alt: str = "",
    pixels: int | None = None,
) -> Panel:
    """Draw an image in colour if it has three channels, otherwise in grey by the mean of its channels.

    Args:
        image: Pixel values.
        span: Values of black and white, or of no colour and full colour.
        truth: Relevant elements, which are outlined; None for no outline.
        caption: Title.
        alt: Description for screen readers; the caption when empty.
        pixels: Maximum number of pixels; a larger map is drawn by the means of its blocks. None for one per element.

    Returns:
        Piece of a page, equal on light and dark paper, with columns to the right and rows downwards.
    """
    low, high = span
    channels = image if len(image) == 3 else np.repeat(image.mean(0, keepdims=True), 3, axis=0)
    channels = np.stack([coarsen(channel, pixels) for channel in channels])
    intensity = np.clip((channels - low) / ((high - low) or 1.0), 0.0, 1.0)
    buffer = io.BytesIO()
    rgb = np.round(255 * intensity).astype(np.uint8).transpose(1, 2, 0)
    import_for_drawing("matplotlib.image").imsave(buffer, rgb, format="png", metadata={"Software": None})
    rows, columns = image.shape[1:]
    return Panel(buffer.getvalue(), buffer.getvalue(), (columns, rows), _path(truth), caption, alt or caption)


def draw_map_panel(
    values: Float[np.ndarray, "row column"],
    scale: Limits,
    truth: Truth | None = None,
    caption: str = "",
    alt: str = "",
    pixels: int | None = None,
) -> Panel:
    """Draw the map of an image.

    Args:
        values: Attribution of each pixel.
        scale: Range of the colours.
        truth: Relevant elements, which are outlined; None for no outline.
        caption: Title.
        alt: Description for screen readers; the caption when empty.
        pixels: Maximum number of pixels; a larger map is drawn by the means of its blocks. None for one per element.

    Returns:
        Piece of a page, with columns to the right and rows downwards.
    """
    return draw_panel(values.T, scale, None if truth is None else truth.T, caption, alt, pixels)


def _path(truth: Truth | None) -> str:
    return "" if truth is None else "".join(f"M{a} {b}L{c} {d}" for (a, b), (c, d) in trace_outline(truth.T))
