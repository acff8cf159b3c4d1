"""Images beside the maps that explain them, upright, the truth outlined."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Bool, Float

from perdure.report.figure import require
from perdure.report.heatmap import Limits, outline, panel
from perdure.report.pieces import Panel

__all__ = ["map_panel", "picture_panel"]

Truth = Bool[np.ndarray, "row column"]


def picture_panel(
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
    require("matplotlib.image").imsave(buffer, rgb, format="png", metadata={"Software": None})
    rows, columns = image.shape[1:]
    return Panel(buffer.getvalue(), buffer.getvalue(), (columns, rows), _path(truth), caption, alt or caption)


def map_panel(
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
    return panel(values.T, scale, None if truth is None else truth.T, caption, alt)


def _path(truth: Truth | None) -> str:
    return "" if truth is None else "".join(f"M{a} {b}L{c} {d}" for (a, b), (c, d) in outline(truth.T))
