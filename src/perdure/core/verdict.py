"""A verdict: the answer of an audit to one question, with its estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from perdure.core.estimate import Estimate, read_estimate, write_estimate

__all__ = ["Level", "Verdict", "read_verdict", "write_verdict"]

Level = Literal["good", "warning", "bad", "none"]
"""How a verdict is to be taken; "none" for an answer that is neither good nor bad."""


@dataclass(frozen=True)
class Verdict:
    """One answer to one question about a model.

    `write_verdict` makes it plain data and `read_verdict` reads it back.

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
    numbers: tuple[Estimate, ...] = ()


def write_verdict(verdict: Verdict) -> dict[str, Any]:
    """Write a verdict as plain data.

    Args:
        verdict: Verdict to write.

    Returns:
        The fields by name.
    """
    return {**asdict(verdict), "numbers": [write_estimate(number) for number in verdict.numbers]}


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
    numbers = tuple(read_estimate(number) for number in record.get("numbers", ()))
    return Verdict(**{**record, "numbers": numbers})
