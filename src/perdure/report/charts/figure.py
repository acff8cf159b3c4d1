"""Figures without global state: creation, style and encoding as PNG."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from perdure.core.errors import DependencyError
from perdure.report.charts.palette import DARK, LIGHT, Palette
from perdure.report.pieces import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["add_legend", "draw_picture", "import_for_drawing", "new_figure", "style_axes", "to_png", "wrap_label"]


INCHES_OF_HANDLE, INCHES_OF_LINE = 0.7, 0.17
"""Width of the handle of a legend with its margins, and height of a line."""

BREAKS = re.compile(r"(\s+|(?<=[:,_/-]))")
"""Line breaks: at spaces, and after characters that join the words of a name."""


def import_for_drawing(module: str) -> Any:
    """Import a module of the report extra.

    Args:
        module: its full name.

    Returns:
        The module.

    Raises:
        DependencyError: when it is not installed.

    Example:
        >>> import_for_drawing("no_such_drawing_package")
        Traceback (most recent call last):
        perdure.core.errors.DependencyError: ... Remedy: pip install 'perdure[report]'.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise DependencyError(
            f"pages and figures need the package '{package}', which cannot be imported ({error})",
            "pip install 'perdure[report]'",
        ) from error


def new_figure(width: float, height: float, palette: Palette = LIGHT) -> Figure:
    """Create an empty figure that is not registered with pyplot.

    Args:
        width: Width in inches.
        height: Height in inches.
        palette: Colours of the paper.

    Returns:
        Figure with an Agg canvas; its layout is computed when it is drawn.
    """
    figure: Figure = import_for_drawing("matplotlib.figure").Figure(
        figsize=(width, height), layout="constrained", facecolor=palette.paper
    )
    import_for_drawing("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    """Encode a figure as PNG; equal figures have equal bytes.

    Args:
        figure: Figure to encode.
        dpi: Pixels per inch.

    Returns:
        Bytes of the file.

    Example:
        >>> to_png(new_figure(1, 1))[1:4]
        b'PNG'
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def wrap_label(text: object, width: int = 28) -> str:
    r"""Escape and wrap a text, to at most three lines without mathematics.

    Args:
        text: Text to draw.
        width: Characters per line.

    Returns:
        Text with escaped dollars.

    Example:
        >>> wrap_label("cost in $")
        'cost in \\$'
        >>> wrap_label("integrated_gradients:steps=32")
        'integrated_gradients:\nsteps=32'
    """
    wrapper = textwrap.TextWrapper(width)
    wrapper.wordsep_re = BREAKS
    lines = wrapper.wrap(str(text)) or [""]
    kept = lines[:3] if len(lines) <= 3 else [*lines[:2], lines[2][: width - 1] + "…"]
    return "\n".join(kept).replace("$", r"\$")


def style_axes(axes: Axes, palette: Palette) -> None:
    """Style axes: no box, a faint grid, small muted ticks.

    Args:
        axes: Axes, modified in place.
        palette: Colours of the paper.
    """
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor(palette.paper)
    axes.tick_params(colors=palette.muted, labelsize=9, length=0)
    axes.grid(color=palette.rule, linewidth=0.6)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=palette.muted, size=9.5)


def add_legend(figure: Figure, handles: Sequence[Artist], names: Sequence[object], palette: Palette) -> None:
    """Add a legend above a figure; names are shown verbatim, also those that start with an underscore.

    Args:
        figure: Figure, modified in place.
        handles: Artists to list.
        names: Names of the artists.
        palette: Colours of the paper.
    """
    labels = [wrap_label(name, 40) for name in names]
    path = import_for_drawing("matplotlib.textpath").TextPath
    widths = [
        path((0, 0), line, size=9).get_extents().width / 72 for label in labels for line in label.split("\n") if line
    ]
    columns = max(1, min(3, int(figure.get_figwidth() / (INCHES_OF_HANDLE + max(widths, default=0.0)))))
    lines = -(-sum(label.count("\n") + 1 for label in labels) // columns)
    figure.set_figheight(figure.get_figheight() + INCHES_OF_LINE * max(0, lines - 1))
    made = figure.legend(handles, [""] * len(names), loc="outside upper left", ncols=columns, frameon=False, fontsize=9)
    for text, label in zip(made.get_texts(), labels, strict=True):
        text.set(text=label, color=palette.ink)


COLOURS = 128

DPI = 132
"""Sharp on a screen with two pixels per point, and a third smaller than for print."""


def draw_picture(draw: Callable[[Palette], Figure], alt: str, caption: str = "") -> Picture:
    """Draw a figure for a page, for light and for dark paper.

    Args:
        draw: Function that draws the figure in the colours of a paper.
        alt: Description for screen readers.
        caption: Text below the figure.

    Returns:
        Piece of a page.
    """
    light, dark = (_quantise(to_png(draw(palette), DPI)) for palette in (LIGHT, DARK))
    return Picture(light, dark, alt, caption)


def _quantise(file: bytes) -> bytes:
    """Reduce a PNG to the few colours of a chart, a third of the size."""
    image, buffer = import_for_drawing("PIL.Image"), io.BytesIO()
    with image.open(io.BytesIO(file)) as drawing:
        few = drawing.convert("RGB").quantize(COLOURS, method=image.Quantize.MEDIANCUT, dither=image.Dither.NONE)
    few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
