"""Estimates between null and ceiling, and the verdicts of an audit that rest on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from perdure.core.errors import NonFiniteError

__all__ = ["CHANCE", "Estimate", "Level", "Verdict", "read_estimate", "read_verdict", "write_estimate", "write_verdict"]

CHANCE = 0.025
"""One-sided p-value up to which a value is better than chance."""


@dataclass(frozen=True)
class Estimate:
    """A value between its null and its ceiling.

    Args:
        value: Estimated value.
        null: Score of a map without information, such as the map itself shifted in a circle, or of a model without
            information.
        ceiling: Score of the best possible map or model; below the null where lower values are better.
        interval: Ends of the 95 % interval of the value; None when unknown.
        n: Number of samples or runs behind the value.
        name: Name of the measured property.
        unit: Unit that follows the value, for example "nats".
        higher_is_better: Direction of improvement; None for a value that only describes.
        uniform: Score of uniform random maps where the null is another; else None.
        p: Probability of a value at least as good by chance, if the map were one more draw of its null; None where
            that is unknown.

    Raises:
        NonFiniteError: If a number is NaN or infinite.

    Example:
        >>> accuracy = Estimate(0.9, 0.5, 1.0, (0.88, 0.92), name="accuracy")
        >>> accuracy.rescale(0.75), accuracy.low
        (0.5, 0.88)
        >>> Estimate(0.9, 0.5, 1.0).low
        -inf
    """

    value: float
    null: float
    ceiling: float
    interval: tuple[float, float] | None = None
    n: int = 1
    name: str = ""
    unit: str = ""
    higher_is_better: bool | None = None
    uniform: float | None = None
    p: float | None = None

    def __post_init__(self) -> None:
        low, high = self.interval or (self.value, self.value)
        numbers = {"value": self.value, "null": self.null, "ceiling": self.ceiling, "low end": low, "high end": high}
        for field, number in numbers.items():
            if not math.isfinite(number):
                raise NonFiniteError(
                    f"the {field} of '{self.name}' is {number}", "leave out samples without a score before averaging"
                )

    @property
    def low(self) -> float:
        """Lower end of the interval; minus infinity when the interval is unknown."""
        return -math.inf if self.interval is None else self.interval[0]

    @property
    def high(self) -> float:
        """Upper end of the interval; infinity when the interval is unknown."""
        return math.inf if self.interval is None else self.interval[1]

    def rescale(self, value: float) -> float:
        """Rescale a value to 0 at the null and 1 at the ceiling.

        Args:
            value: Value on the scale of this estimate.

        Returns:
            The fraction of the way from null to ceiling.
        """
        return (value - self.null) / (self.ceiling - self.null)


def write_estimate(estimate: Estimate) -> dict[str, Any]:
    """Write an estimate as plain data.

    Args:
        estimate: Estimate to write.

    Returns:
        The fields by name, with the ends of the interval as `low` and `high`, None when unknown.
    """
    fields = asdict(estimate)
    low, high = fields.pop("interval") or (None, None)
    return {**fields, "low": low, "high": high}


def read_estimate(record: Mapping[str, Any]) -> Estimate:
    """Read an estimate from plain data.

    Args:
        record: Fields as `write_estimate` returns them; records of version 0.1 have no `n`.

    Returns:
        The estimate.

    Example:
        >>> accuracy = Estimate(0.9, 0.5, 1.0, (0.88, 0.92), name="accuracy")
        >>> read_estimate(write_estimate(accuracy)) == accuracy
        True
    """
    fields = dict(record)
    low, high = fields.pop("low"), fields.pop("high")
    return Estimate(**fields, interval=None if low is None else (low, high))


Level = Literal["good", "warning", "bad", "none"]
"""Assessment of a verdict; "none" for an answer that is neither good nor bad."""


@dataclass(frozen=True)
class Verdict:
    """One answer to one question about a model.

    `write_verdict` makes it plain data and `read_verdict` reads it back.

    Args:
        question: Question about the model.
        answer: one word or two, for example "vanishes".
        level: Assessment of the answer.
        sentence: the answer at length, with its most important number.
        numbers: Estimates behind the answer.
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
