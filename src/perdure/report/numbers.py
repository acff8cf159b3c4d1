"""Numbers of a page: format, and position between null and ceiling."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from perdure.core.estimate import CHANCE, Estimate

__all__ = [
    "Scale",
    "compare_with_null",
    "describe",
    "flatten_facts",
    "format_interval",
    "format_number",
    "format_value",
    "place_on_scale",
]

BEYOND = 0.5
"""Extent of a scale beyond null and ceiling in units of their distance; further values are clipped."""


@dataclass(frozen=True)
class Scale:
    """Where to draw a number, each in percent of the width; the ceiling is always to the right of the null.

    Low and high are the value where the interval is unknown. Uniform is the mark of uniform random maps, where the null
    is another.
    """

    null: float
    ceiling: float
    low: float
    high: float
    value: float
    uniform: float | None = None


def place_on_scale(number: Estimate) -> Scale | None:
    """Compute the positions of a number between its null and its ceiling.

    Args:
        number: Number to place.

    Returns:
        Positions, or None when null and ceiling are equal.

    Example:
        >>> place_on_scale(Estimate(0.75, 1.0, 0.0, (0.5, 1.0)))
        Scale(null=0.0, ceiling=100.0, low=0.0, high=50.0, value=25.0, uniform=None)
    """
    if number.null == number.ceiling:
        return None
    low, high = sorted(number.rescale(end) for end in number.interval or (number.value, number.value))
    value = number.rescale(number.value)
    uniform = None if number.uniform is None else number.rescale(number.uniform)
    left = max(-BEYOND, min(0.0, low, value, uniform or 0.0))
    right = min(1 + BEYOND, max(1.0, high, value, uniform or 0.0))

    def place(progress: float) -> float:
        return round(100 * (min(max(progress, left), right) - left) / (right - left), 2) + 0.0

    mark = None if uniform is None else place(uniform)
    return Scale(place(0.0), place(1.0), place(low), place(high), place(value), mark)


def compare_with_null(number: Estimate) -> Literal["better", "like", "worse"] | None:
    """Compare the interval of a number with its null.

    Args:
        number: Number to compare.

    Returns:
        Where there is a p-value, "better" follows from it, as in the verdict; otherwise from the interval. "like" when
        the interval holds the null; None for a number that only describes, or without an interval.

    Example:
        >>> compare_with_null(Estimate(0.13, 0.24, 1.0, (0.12, 0.14), higher_is_better=True))
        'worse'
    """
    if number.higher_is_better is None or number.null == number.ceiling or number.interval is None:
        return None
    if number.p is not None and number.p <= CHANCE:
        return "better"
    low, high = sorted(number.rescale(end) for end in number.interval)
    if low > 0 and number.p is None:
        return "better"
    return "worse" if high < 0 else "like"


def format_number(value: float, unit: str = "", size: float | None = None) -> str:
    """Format a number with three significant digits.

    Args:
        value: Number to format.
        unit: Unit after the number.
        size: Magnitude that determines the number of digits; the absolute value of the number when None.

    Returns:
        Text with a typographic minus.

    Example:
        >>> [format_number(value) for value in (0.12345, -3e-7, 0.0, 12345.6)]
        ['0.123', '−3.0e-07', '0', '12,346']
        >>> format_number(97.25, "%")
        '97.2%'
    """
    size = abs(value) if size is None else size
    places = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    text = "0" if value == 0 else f"{abs(value):.1e}" if size < 1e-3 else f"{abs(value):,.{places}f}"
    space = "" if unit in ("", "%") else "\N{NO-BREAK SPACE}"
    return ("\N{MINUS SIGN}" if value < 0 else "") + text + space + unit


def format_value(number: Estimate) -> str:
    """Format the value of a number with its unit and the digits of its interval.

    Args:
        number: Number to format.

    Returns:
        Text.
    """
    return format_number(number.value, number.unit, _size(number))


def format_interval(number: Estimate) -> str:
    """Format the interval of a number.

    Args:
        number: Number to format.

    Returns:
        Both ends; "unknown" without an interval.

    Example:
        >>> format_interval(Estimate(1.0, 1.18, 0.0, (0.98, 1.02)))
        '0.98 to 1.02'
    """
    if number.interval is None:
        return "unknown"
    if number.interval is None:
        return "unknown"
    return f"{format_number(number.low, size=_size(number))} to {format_number(number.high, size=_size(number))}"


def describe(number: Estimate) -> str:
    """Describe the scale of a number in one sentence for screen readers.

    Args:
        number: Number to describe.

    Returns:
        Sentence.

    Example:
        >>> describe(Estimate(0.9, 0.5, 1.0, (0.88, 0.92), name="AUROC", higher_is_better=True))
        'AUROC 0.900 (0.880 to 0.920); null 0.500, ceiling 1.00; better than null'
    """
    place = compare_with_null(number)
    compared = f"; {place} {'the' if place == 'like' else 'than'} null" if place else ""
    marks = [f"null {format_number(number.null)}"]
    if number.uniform is not None:
        marks.append(f"uniform random map {format_number(number.uniform)}")
    chance = "" if number.p is None else f", p {format_number(number.p)}"
    return (
        f"{number.name} {format_value(number)} ({format_interval(number)}); "
        f"{', '.join(marks)}, ceiling {format_number(number.ceiling)}{compared}{chance}"
    )


def flatten_facts(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested facts to names and texts.

    Args:
        facts: Values by name; values may be mappings.
        prefix: Prefix of each name.

    Yields:
        Joined name and text of each value.

    Example:
        >>> list(flatten_facts({"seed": 0, "versions": {"torch": "2.13"}, "classes": ["a", "b"]}))
        [('seed', '0'), ('versions.torch', '2.13'), ('classes', '["a", "b"]')]
    """
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flatten_facts(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield f"{prefix}{name}", value
        else:
            yield f"{prefix}{name}", json.dumps(value, ensure_ascii=False, default=str)


def _size(number: Estimate) -> float:
    low, high = number.interval or (number.value, number.value)
    return max(abs(number.value), abs(low), abs(high))
