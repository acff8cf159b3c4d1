"""How often the verdicts of an audit are wrong, measured on cases with known answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

__all__ = [
    "ABSTENTIONS",
    "FILE",
    "ErrorRates",
    "Rate",
    "describe_answer",
    "describe_error_rates",
    "load_error_rates",
    "load_record",
]

FILE = "error_rates.json"
"""File of the package with the counts; `perdure study verdict_calibration` writes one of this name."""

ABSTENTIONS = ("partly", "unclear")
"""Answers that leave open whether a map may be used."""

SUBJECTS = {"over_time": "maps", "down_to_input": "maps", "across_runs": "sets of training runs"}

Half = Literal["development", "held out"]


@dataclass(frozen=True)
class Rate:
    """A fraction of cases with its 95 % Clopper-Pearson interval.

    Args:
        count: Number of cases with the property.
        total: Number of cases.

    Example:
        >>> rate = Rate(0, 60)
        >>> rate.value, round(rate.high, 3)
        (0.0, 0.06)
    """

    count: int
    total: int

    @property
    def value(self) -> float:
        """The fraction; zero of no cases."""
        return self.count / self.total if self.total else 0.0

    @property
    def low(self) -> float:
        """Lower end of the interval; 0 without cases."""
        return self._interval[0]

    @property
    def high(self) -> float:
        """Upper end of the interval; 1 without cases."""
        return self._interval[1]

    @property
    def _interval(self) -> tuple[float, float]:
        if not self.total:
            return 0.0, 1.0
        from scipy.stats import binomtest

        low, high = binomtest(self.count, self.total).proportion_ci(method="exact")
        return float(low), float(high)


@dataclass(frozen=True)
class ErrorRates:
    """The answers of one question on cases with known answers.

    Args:
        question: Field of `Verdicts`, such as "down_to_input".
        counts: Number of cases by right answer and given answer.
        networks: Number of different networks, or kinds of training runs, behind the cases.

    Example:
        >>> rates = ErrorRates("down_to_input", {"yes": {"yes": 39, "partly": 1}, "no": {"yes": 1, "no": 59}}, 8)
        >>> rates.find_wrong("yes"), rates.find_called("yes", "yes"), rates.abstained
        (Rate(count=1, total=40), Rate(count=39, total=40), Rate(count=1, total=100))
    """

    question: str
    counts: Mapping[str, Mapping[str, int]]
    networks: int

    @property
    def right(self) -> tuple[str, ...]:
        """The right answers that occur."""
        return tuple(self.counts)

    @property
    def given(self) -> tuple[str, ...]:
        """The given answers that occur, the right ones first."""
        every = [answer for row in self.counts.values() for answer in row]
        return tuple(dict.fromkeys([*(answer for answer in self.counts if answer in every), *every]))

    @property
    def total(self) -> int:
        """Number of cases."""
        return sum(sum(row.values()) for row in self.counts.values())

    def find_wrong(self, given: str) -> Rate:
        """Count the cases with an answer that is not the right one.

        Args:
            given: Given answer.

        Returns:
            The fraction of wrong ones among the cases with this answer.
        """
        called = {right: row.get(given, 0) for right, row in self.counts.items()}
        return Rate(sum(n for right, n in called.items() if right != given), sum(called.values()))

    def find_called(self, right: str, given: str) -> Rate:
        """Count the cases with an answer among those with a right answer.

        Args:
            right: Right answer.
            given: Given answer.

        Returns:
            The fraction of the cases with the right answer.
        """
        row = self.counts.get(right, {})
        return Rate(row.get(given, 0), sum(row.values()))

    @property
    def abstained(self) -> Rate:
        """The fraction without a firm answer where "yes" or "no" is right."""
        rows = [self.counts.get(right, {}) for right in ("yes", "no")]
        return Rate(
            sum(row.get(word, 0) for row in rows for word in ABSTENTIONS), sum(sum(row.values()) for row in rows)
        )


@cache
def load_record() -> Mapping[str, Any]:
    """Load the counts of the study that the package contains.

    Returns:
        Settings of the study, constants of the rules and counts by question and half.
    """
    text = resources.files("perdure.audit").joinpath(FILE).read_text(encoding="utf-8")
    record: Mapping[str, Any] = json.loads(text)
    return record


def load_error_rates(half: Half = "held out") -> dict[str, ErrorRates]:
    """Load the measured error rates of the verdicts.

    Args:
        half: Cases on which the thresholds were chosen, or other ones.

    Returns:
        Error rates by question: "over_time", "down_to_input" and "across_runs".

    Example:
        >>> load_error_rates()["down_to_input"].find_wrong("yes").value <= 0.05
        True
    """
    questions = load_record()["questions"]
    return {
        name: ErrorRates(name, halves[half]["counts"], halves[half]["networks"]) for name, halves in questions.items()
    }


def describe_error_rates(rates: ErrorRates) -> str:
    """Describe how often a verdict was right where the right answer is known.

    Args:
        rates: Error rates of a question.

    Returns:
        One sentence.

    Example:
        >>> rates = ErrorRates("down_to_input", {"yes": {"yes": 39, "partly": 1}, "no": {"no": 60}}, 8)
        >>> describe_error_rates(rates)
        'Of 40 maps whose right answer is "yes", this audit called 39 "yes"; of 60 "no", 60 "no".'
    """
    numbers = [(sum(row.values()), right, row.get(right, 0)) for right, row in rates.counts.items()]
    (total, right, called), *further = numbers
    start = (
        f'Of {total} {SUBJECTS[rates.question]} whose right answer is "{right}", this audit called {called} "{right}"'
    )
    clauses = (f'of {total} "{right}", {called} "{right}"' for total, right, called in further)
    return "; ".join((start, *clauses)) + "."


def describe_answer(rates: ErrorRates, given: str) -> str:
    """Describe how often an answer was wrong where the right one is known.

    Args:
        rates: Error rates of a question.
        given: Given answer.

    Returns:
        One sentence; empty for an answer that no case got.

    Example:
        >>> rates = ErrorRates("down_to_input", {"yes": {"yes": 39}, "no": {"yes": 1, "no": 59}}, 8)
        >>> describe_answer(rates, "yes")
        'Of 40 maps with a known answer that this audit called "yes", 1 was wrong (2 %, at most 13 %).'
    """
    rate = rates.find_wrong(given)
    if not rate.total:
        return ""
    were = "was" if rate.count == 1 else "were"
    return (
        f'Of {rate.total} {SUBJECTS[rates.question]} with a known answer that this audit called "{given}", '
        f"{rate.count} {were} wrong ({100 * rate.value:.0f} %, at most {100 * rate.high:.0f} %)."
    )
