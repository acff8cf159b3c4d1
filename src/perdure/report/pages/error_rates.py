"""The section of a page about how often its verdicts are wrong."""

from __future__ import annotations

from collections.abc import Sequence

from perdure.audit.error_rates import ErrorRates, describe_error_rates, load_error_rates
from perdure.audit.result import QUESTIONS
from perdure.core.estimate import Verdict
from perdure.report.pages.page import Section
from perdure.report.pieces import Prose, Table

__all__ = ["build_error_rates"]

HEADER = ("question", "answer", "cases with this answer", "wrong", "95 % interval")

NOTE = (
    "Measured by the study verdict_calibration on small networks whose contributions are known exactly, none of which "
    "was used to choose a threshold. On other networks the rates may differ."
)


def build_error_rates(verdicts: Sequence[Verdict]) -> tuple[Section, ...]:
    """Build the section about the answers on a page.

    Args:
        verdicts: All verdicts on the page.

    Returns:
        One section; none without a verdict.
    """
    shown: dict[str, dict[str, None]] = {}
    for verdict in verdicts:
        shown.setdefault(verdict.question, {})[verdict.answer] = None
    every = {QUESTIONS[name]: rates for name, rates in load_error_rates().items()}
    known = {question: rates for question, rates in every.items() if question in shown}
    rows = tuple(
        _write_row(question, answer, rates)
        for question, rates in known.items()
        for answer in shown[question]
        if rates.find_wrong(answer).total
    )
    if not rows:
        return ()
    sentences = (f"{question} {describe_error_rates(rates)}" for question, rates in known.items())
    return (Section("How often these answers are wrong", (Table(HEADER, rows), Prose((*sentences, NOTE)))),)


def _write_row(question: str, answer: str, rates: ErrorRates) -> tuple[str, ...]:
    rate = rates.find_wrong(answer)
    interval = f"{100 * rate.low:.1f} to {100 * rate.high:.1f} %"
    return question, answer, str(rate.total), f"{rate.count} ({100 * rate.value:.1f} %)", interval
