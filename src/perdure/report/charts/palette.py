"""Colours for light and dark paper, used by pages and figures."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "SERIES", "Palette", "contrast", "list_colours"]

SERIES = ("#2f74c0", "#d4622a", "#23936a", "#9a5fc7", "#b8860b", "#c2477f", "#5f7d95")
"""Colours of lines and points, with a contrast of at least three to one on light and dark paper."""


@dataclass(frozen=True)
class Palette:
    """Colours for one kind of paper.

    Args:
        paper: Background.
        card: Background of a card.
        ink: Text.
        muted: Secondary text.
        rule: Separating lines.
        accent: Highlighted items.
        good: Good verdict.
        warning: Doubtful verdict.
        bad: Bad verdict.
        truth: Outline of relevant elements.
        sequential: Colours from zero, the paper, to high values.
        diverging: Colours from negative values over zero to positive values.
    """

    paper: str
    card: str
    ink: str
    muted: str
    rule: str
    accent: str
    good: str
    warning: str
    bad: str
    truth: str
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]


LIGHT = Palette(
    paper="#ffffff",
    card="#f7f8fa",
    ink="#1a1f26",
    muted="#59636e",
    rule="#dde2e8",
    accent="#1f5fa8",
    good="#1a7f4b",
    warning="#9a6300",
    bad="#b3261e",
    truth="#d4510b",
    sequential=("#ffffff", "#d8e6f3", "#a4c8e4", "#62a0d0", "#2a72b5", "#114a86", "#072448"),
    diverging=("#5b1647", "#a8326f", "#d97ba6", "#f2cfdf", "#ffffff", "#cfe3ea", "#79b3c6", "#2c7f9a", "#0b4355"),
)

DARK = Palette(
    paper="#14171b",
    card="#1c2026",
    ink="#e9ecef",
    muted="#a3acb6",
    rule="#333a43",
    accent="#7db5f2",
    good="#5fc992",
    warning="#e3b04b",
    bad="#f28b82",
    truth="#ff9d5c",
    sequential=("#14171b", "#16324f", "#1d5589", "#3b82bd", "#73afdd", "#b3d6f0", "#eef7ff"),
    diverging=("#ffc9e0", "#e57fae", "#a83e77", "#4d2340", "#14171b", "#173844", "#2b7890", "#66b5cc", "#cdeff8"),
)


def list_colours() -> dict[str, dict[str, str]]:
    """List the single colours of both papers for a style sheet.

    Returns:
        Colours by name, for "light" and "dark".

    Example:
        >>> list_colours()["dark"]["ink"]
        '#e9ecef'
    """
    return {
        "light": {name: colour for name, colour in vars(LIGHT).items() if isinstance(colour, str)},
        "dark": {name: colour for name, colour in vars(DARK).items() if isinstance(colour, str)},
    }


def contrast(first: str, second: str) -> float:
    """Compute the contrast of two colours by the web accessibility guidelines.

    Args:
        first: Colour such as "#1a1f26".
        second: Colour in the same form.

    Returns:
        Ratio from 1 for equal colours to 21.

    Example:
        >>> contrast("#000000", "#ffffff")
        21.0
    """
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
