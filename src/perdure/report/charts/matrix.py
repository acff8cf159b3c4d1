"""Agreement matrices: one cell per pair of runs, coloured above and printed below the diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from perdure.report.charts.figure import import_for_drawing
from perdure.report.charts.heatmap import Limits, draw_pixels, make_colour_map
from perdure.report.charts.palette import DARK, LIGHT, contrast
from perdure.report.names import shorten_names
from perdure.report.numbers import format_number
from perdure.report.pieces import ColourScale, Piece

__all__ = ["Matrices", "Matrix", "draw_agreement_matrix", "find_agreement_limits", "order_by_similarity"]

SMALL = 0.05
"""Negative agreement up to this size is due to chance and does not need a second colour."""


@dataclass(frozen=True)
class Matrix:
    """Values of pairs: colours everywhere, digits below the diagonal, and names on the diagonal.

    Args:
        light: PNG for light paper, one pixel per cell.
        dark: PNG for dark paper.
        names: Short names on the diagonal.
        cells: Column, row, digits, and the papers (light, dark) on which the colour of the paper is the better ink.
        caption: Title.
        alt: Description for screen readers.
    """

    light: bytes
    dark: bytes
    names: tuple[str, ...]
    cells: tuple[tuple[int, int, str, str], ...]
    caption: str
    alt: str


@dataclass(frozen=True)
class Matrices(Piece):
    """Rows of matrices with one colour scale; rows after the first are collapsed under their titles."""

    template: ClassVar[str] = "matrices.html.j2"
    rows: tuple[tuple[str, tuple[Matrix, ...]], ...]
    scale: ColourScale
    note: str = ""


def find_agreement_limits(matrices: list[Float[np.ndarray, "run run"]]) -> Limits:
    """Find one scale of all matrices of a page, so that colours are comparable.

    Args:
        matrices: Matrices of all methods and measures.

    Returns:
        Limits from 0 to 1, or from -1 if runs contradict each other.

    Example:
        >>> find_agreement_limits([np.array([[np.nan, 0.4], [0.4, np.nan]])])
        Limits(high=1.0, signed=False)
    """
    return Limits(1.0, any(bool((values < -SMALL).any()) for values in matrices))


def order_by_similarity(values: Float[np.ndarray, "run run"]) -> list[int]:
    """Order runs by similarity: the leaves of their average linkage.

    Args:
        values: Agreement of each pair; NaN counts as the lowest agreement.

    Returns:
        Indices of the runs.

    Example:
        >>> order_by_similarity(np.array([[1.0, 0.1, 0.9], [0.1, 1.0, 0.2], [0.9, 0.2, 1.0]]))
        [1, 2, 0]
    """
    if len(values) < 3:
        return list(range(len(values)))
    known = np.where(np.isfinite(values), values, np.nanmin(values, initial=1.0))
    distance = known.max() - (known + known.T) / 2
    np.fill_diagonal(distance, 0.0)
    return [int(i) for i in leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True))]


def draw_agreement_matrix(
    values: Float[np.ndarray, "run run"], scale: Limits, names: tuple[str, ...], caption: str = ""
) -> Matrix:
    """Draw the agreement of every pair of runs.

    Args:
        values: Symmetric matrix; NaN on the diagonal and for pairs without comparable samples.
        scale: Range of the colours.
        names: Names of the runs.
        caption: Title.

    Returns:
        Matrix; its description names the pairs with the lowest and highest agreement.

    Example:
        >>> pair = np.array([[np.nan, 0.93], [0.93, np.nan]])
        >>> draw_agreement_matrix(pair, Limits(1.0, False), ("seed 0", "seed 1")).cells
        ((0, 1, '.93', 'light dark'),)
    """
    off = np.where(np.eye(len(values), dtype=bool), np.nan, values)
    light, dark = (draw_pixels(off, scale, palette) for palette in (LIGHT, DARK))
    below = [(row, column) for row in range(len(off)) for column in range(row)]
    inks = _inks(np.array([off[pair] for pair in below]), scale)
    cells = tuple((c, r, _short(off[r, c]), ink) for (r, c), ink in zip(below, inks, strict=True))
    return Matrix(light, dark, shorten_names(names), cells, caption, _words(off, below, names))


def _short(value: float) -> str:
    """Format a fraction with two digits and without the leading zero."""
    if not np.isfinite(value):
        return "?"
    text = f"{abs(value):.2f}"
    text = text.removeprefix("0") if text != "0.00" else "0"
    return ("\N{MINUS SIGN}" if value < 0 and text != "0" else "") + ("1" if text == "1.00" else text)


def _inks(values: np.ndarray, scale: Limits) -> list[str]:
    """List for each value the papers whose colour has a higher contrast to the cell than their ink."""
    position = (np.clip(np.nan_to_num(values), scale.low, scale.high) - scale.low) / (scale.high - scale.low)
    better = {}
    for name, palette in (("light", LIGHT), ("dark", DARK)):
        grounds = [
            import_for_drawing("matplotlib.colors").to_hex(colour)
            for colour in make_colour_map(scale, palette)(position)
        ]
        better[name] = [contrast(palette.paper, ground) > contrast(palette.ink, ground) for ground in grounds]
    return [" ".join(name for name in better if better[name][i]) for i in range(len(values))]


def _words(off: np.ndarray, below: list[tuple[int, int]], names: tuple[str, ...]) -> str:
    """Describe the agreement of the pairs, with the lowest and highest."""
    known = [pair for pair in below if np.isfinite(off[pair])]
    if not known:
        return "No pair of runs has comparable samples."
    if len(known) == 1:
        return f"{format_number(off[known[0]])} between {_pair(known[0], names)}."
    values = [float(off[pair]) for pair in known]
    least, most = known[int(np.argmin(values))], known[int(np.argmax(values))]
    median, low, high = (format_number(float(value)) for value in (np.median(values), min(values), max(values)))
    return f"Median {median}; lowest {low} between {_pair(least, names)}, highest {high} between {_pair(most, names)}."


def _pair(pair: tuple[int, int], names: tuple[str, ...]) -> str:
    return f"{names[pair[1]]} and {names[pair[0]]}"
