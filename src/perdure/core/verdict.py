"""The verdict: what an audit says of a model, in words and in numbers that know their null and ceiling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from perdure.core.errors import NonFiniteError

__all__ = ["Level", "Number", "Verdict", "read_number", "read_verdict"]

Level = Literal["good", "warning", "bad", "none"]
"""How a verdict is to be taken; "none" for an answer that is neither good nor bad."""


@dataclass(frozen=True)
class Number:
    """A number between its null and its ceiling.

    Args:
        name: what is measured.
        value: the estimate.
        low: lower end of its interval.
        high: upper end of its interval.
        null: what a map, or a model, that knows nothing scores.
        ceiling: what the best possible one scores; below the null where less is better.
        unit: follows the value, for example "%".
        higher_is_better: None for a number that only describes.

    Raises:
        NonFiniteError: when one of the five is NaN or infinite.
    """

    name: str
    value: float
    low: float
    high: float
    null: float
    ceiling: float
    unit: str = ""
    higher_is_better: bool | None = None

    def __post_init__(self) -> None:
        for field in ("value", "low", "high", "null", "ceiling"):
            if not math.isfinite(getattr(self, field)):
                raise NonFiniteError(
                    f"the {field} of '{self.name}' is {getattr(self, field)}",
                    "leave out samples without a score before they are averaged",
                )


@dataclass(frozen=True)
class Verdict:
    """One answer to one question about a model.

    `dataclasses.asdict` makes it plain data and `read_verdict` brings it back.

    Args:
        question: what was asked.
        answer: one word or two, for example "vanishes".
        level: how the answer is to be taken.
        sentence: the answer at length, with its most telling number.
        numbers: what the answer rests on.
    """

    question: str
    answer: str
    level: Level
    sentence: str
    numbers: tuple[Number, ...] = ()


def read_number(record: Mapping[str, Any]) -> Number:
    """Make a number of plain data.

    Args:
        record: the fields by name.

    Returns:
        The number.

    Example:
        >>> from dataclasses import asdict
        >>> number = Number("accuracy", 0.9, 0.88, 0.92, 0.5, 1.0)
        >>> read_number(asdict(number)) == number
        True
    """
    return Number(**record)


def read_verdict(record: Mapping[str, Any]) -> Verdict:
    """Make a verdict of plain data, such as JSON gives.

    Args:
        record: the fields by name; numbers as a list of such records.

    Returns:
        The verdict.

    Example:
        >>> read_verdict({"question": "?", "answer": "holds", "level": "good", "sentence": "It does."}).answer
        'holds'
    """
    numbers = tuple(read_number(number) for number in record.get("numbers", ()))
    return Verdict(**{**record, "numbers": numbers})
