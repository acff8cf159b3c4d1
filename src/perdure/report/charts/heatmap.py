"""Heat maps of series: every site one pixel, the truth outlined, colours shared so that maps can be compared."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from perdure.report.charts.figure import import_for_drawing
from perdure.report.charts.palette import DARK, LIGHT, Palette
from perdure.report.numbers import format_number
from perdure.report.pieces import ColourScale, Panel

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = [
    "MOST",
    "UNIFORM_UNIT",
    "Limits",
    "add_labels",
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

MOST = 0.95
"""Share of the sites that a scale for attributions spans: a map that spreads must show beside one that peaks."""

MOST_NAMES = 12
"""Features whose names fit beside a map."""

UNIFORM_UNIT = "attribution, 1 = an even share"
"""The unit of maps and curves that are drawn together."""

Segment = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Limits:
    """The range of values that a colour scale spans.

    Args:
        high: the value with the strongest colour; larger ones share it.
        signed: whether the scale starts at -high rather than at zero.
    """

    high: float
    signed: bool

    @property
    def low(self) -> float:
        """The value at the start of the scale."""
        return -self.high if self.signed else 0.0


def find_limits(maps: Iterable[Float[np.ndarray, "..."]], share: float = 0.99) -> Limits:
    """Find one colour scale for many maps, not stretched by a few extreme sites.

    Args:
        maps: arrays of any shape; NaN marks a site that does not exist.
        share: of the sites, by absolute value, that the scale must span.

    Returns:
        Limits, symmetric about zero as soon as one value is negative.

    Example:
        >>> find_limits([np.array([0.0, 1.0, 2.0]), np.array([-4.0])], share=1.0)
        Limits(high=4.0, signed=True)
    """
    values = np.concatenate([np.ravel(some) for some in maps])
    values = values[np.isfinite(values)]
    size = np.abs(values)
    high = float(np.quantile(size, share)) if size.size else 0.0
    return Limits(high or float(size.max(initial=0.0)) or 1.0, bool((values < 0).any()))


def relative_to_uniform(maps: Float[np.ndarray, "batch *site"]) -> Float[np.ndarray, "batch *site"]:
    """Express maps in multiples of an even share, so that maps of different scale can share colours.

    A map that spreads its mass evenly is 1 at each site. Signs are kept.

    Args:
        maps: attributions; NaN marks a site that does not exist.

    Returns:
        Each map over the mean of its absolute values; a map of zeros stays zero.

    Example:
        >>> relative_to_uniform(np.array([[[1.0, -3.0]]])).tolist()
        [[[0.5, -1.5]]]
    """
    filled = np.isfinite(maps)
    axes = tuple(range(1, maps.ndim))
    mass = np.where(filled, np.abs(maps), 0.0).sum(axes, keepdims=True)
    sites = filled.sum(axes, keepdims=True)
    shares: np.ndarray = np.divide(maps * sites, mass, out=np.zeros_like(maps, dtype=float), where=mass > 0)
    return shares


def trace_outline(truth: Bool[np.ndarray, "time feature"]) -> list[Segment]:
    """Trace the border between sites that matter and sites that do not.

    Args:
        truth: true where a site matters.

    Returns:
        Straight pieces between corners (step, feature), each as long as it can be.

    Example:
        >>> trace_outline(np.array([[True], [True]]))
        [((0, 0), (0, 1)), ((2, 0), (2, 1)), ((0, 0), (2, 0)), ((0, 1), (2, 1))]
    """
    across = [((t, a), (t, b)) for t, a, b in _borders(truth)]
    along = [((a, f), (b, f)) for f, a, b in _borders(truth.T)]
    return across + along


def make_colour_map(scale: Limits, palette: Palette) -> Colormap:
    """Make the colours of a scale.

    Args:
        scale: sequential from the paper, or diverging about it when signed.
        palette: the stops.

    Returns:
        A colour map; NaN is transparent.
    """
    stops = palette.diverging if scale.signed else palette.sequential
    made: Colormap = import_for_drawing("matplotlib.colors").LinearSegmentedColormap.from_list("perdure", stops, N=512)
    return made


def draw_pixels(values: Float[np.ndarray, "time feature"], scale: Limits, palette: Palette = LIGHT) -> bytes:
    """Draw a map as PNG with one pixel for each site: time to the right, features downwards.

    Args:
        values: raw values; only their colours are limited.
        scale: what the colours span.
        palette: the colours.

    Returns:
        The file's bytes.
    """
    shown = (np.clip(values.T, scale.low, scale.high) - scale.low) / (scale.high - scale.low)
    rgba: Any = make_colour_map(scale, palette)(np.ma.masked_invalid(shown), bytes=True)
    buffer = io.BytesIO()
    import_for_drawing("matplotlib.image").imsave(buffer, rgba, format="png", metadata={"Software": None})
    return buffer.getvalue()


def draw_panel(
    values: Float[np.ndarray, "time feature"],
    scale: Limits,
    truth: Bool[np.ndarray, "time feature"] | None = None,
    caption: str = "",
    alt: str = "",
) -> Panel:
    """Draw a map for a page, for light and for dark paper.

    Args:
        values: raw values.
        scale: what the colours span.
        truth: outlined when given.
        caption: its title.
        alt: what it shows; the caption when empty.

    Returns:
        The piece.
    """
    path = "" if truth is None else "".join(f"M{a} {b}L{c} {d}" for (a, b), (c, d) in trace_outline(truth))
    steps, features = values.shape
    light, dark = (draw_pixels(values, scale, palette) for palette in (LIGHT, DARK))
    return Panel(light, dark, (steps, features), path, caption, alt or caption)


def add_labels(drawn: Panel, names: tuple[str, ...] = ()) -> Panel:
    """Name the features of a map of series, as far as there is room, and its first and last step.

    Args:
        drawn: the map.
        names: of the features; empty when they have none.

    Returns:
        The piece with labels.

    Example:
        >>> found = add_labels(draw_panel(np.zeros((5, 2)), Limits(1.0, False)), ("speed", "height"))
        >>> found.rows, found.ends
        (('speed', 'height'), ('step 1', '5'))
    """
    steps, features = drawn.size
    rows = names if len(names) == features <= MOST_NAMES else ()
    return replace(drawn, rows=rows, ends=("step 1", str(steps)) if steps > 1 else ("step 1",))


def draw_colour_scale(scale: Limits, caption: str, unit: str = "") -> ColourScale:
    """Draw the strip of colours that explains maps.

    Args:
        scale: what the colours span.
        caption: what the values are.
        unit: follows each tick.

    Returns:
        The piece, with three ticks.
    """
    strip = np.linspace(scale.low, scale.high, 256)[:, None]
    ticks = (scale.low, (scale.low + scale.high) / 2, scale.high)
    light, dark = (draw_pixels(strip, scale, palette) for palette in (LIGHT, DARK))
    return ColourScale(light, dark, tuple(format_number(tick, unit) for tick in ticks), caption)


def _borders(truth: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Give (line, start, end) for each stretch along the second axis where neighbours on the first differ."""
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
) -> Panel:
    """Show an image as it is: in colour with three channels, else in grey by the mean of its channels.

    Args:
        image: raw values.
        span: what black and white, or no colour and full colour, stand for.
        truth: outlined when given.
        caption: its title.
        alt: what it shows; the caption when empty.

    Returns:
        The piece, the same on light and dark paper, with columns to the right and rows downwards.
    """
    low, high = span
    seen = image if len(image) == 3 else np.repeat(image.mean(0, keepdims=True), 3, axis=0)
    shares = np.clip((seen - low) / ((high - low) or 1.0), 0.0, 1.0)
    buffer = io.BytesIO()
    rgb = np.round(255 * shares).astype(np.uint8).transpose(1, 2, 0)
    import_for_drawing("matplotlib.image").imsave(buffer, rgb, format="png", metadata={"Software": None})
    rows, columns = image.shape[1:]
    return Panel(buffer.getvalue(), buffer.getvalue(), (columns, rows), _path(truth), caption, alt or caption)


def draw_map_panel(
    values: Float[np.ndarray, "row column"],
    scale: Limits,
    truth: Truth | None = None,
    caption: str = "",
    alt: str = "",
) -> Panel:
    """Draw the map of an image.

    Args:
        values: one number per pixel.
        scale: what the colours span.
        truth: outlined when given.
        caption: its title.
        alt: what it shows; the caption when empty.

    Returns:
        The piece, with columns to the right and rows downwards.
    """
    return draw_panel(values.T, scale, None if truth is None else truth.T, caption, alt)


def _path(truth: Truth | None) -> str:
    return "" if truth is None else "".join(f"M{a} {b}L{c} {d}" for (a, b), (c, d) in trace_outline(truth.T))
