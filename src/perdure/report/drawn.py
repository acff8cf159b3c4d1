"""A figure drawn twice, for light and for dark paper."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.report.figure import png, require
from perdure.report.palette import DARK, LIGHT, Palette
from perdure.report.pieces import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["drawn"]

COLOURS = 128

DPI = 132
"""Sharp on a screen of two pixels to a point, and a third smaller than in print."""


def drawn(draw: Callable[[Palette], Figure], alt: str, caption: str = "") -> Picture:
    """Draw a figure for a page.

    Args:
        draw: makes the figure in the colours of a paper.
        alt: what it shows, for those who cannot see it.
        caption: what to look at.

    Returns:
        The piece.
    """
    light, dark = (_small(png(draw(palette), DPI)) for palette in (LIGHT, DARK))
    return Picture(light, dark, alt, caption)


def _small(file: bytes) -> bytes:
    """Write a PNG with the few colours that a chart has, a third of the size."""
    image, buffer = require("PIL.Image"), io.BytesIO()
    with image.open(io.BytesIO(file)) as drawing:
        few = drawing.convert("RGB").quantize(COLOURS, method=image.Quantize.MEDIANCUT, dither=image.Dither.NONE)
    few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
