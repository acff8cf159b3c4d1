"""The verdict across runs: would a retrained model be explained the same way?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perdure.core.estimate import Estimate, Level, Verdict
from perdure.stability.agreement import FEW
from perdure.stability.members import has_learned

__all__ = ["QUESTION", "AcrossRuns", "across_runs", "not_asked"]

QUESTION = "Would a retrained model be explained the same way?"

Answer = Literal["yes", "partly", "no", "unclear"]

LEVELS: dict[Answer, Level] = {"yes": "good", "partly": "warning", "unclear": "warning", "no": "bad"}

SAME = 0.7
"""Share of the way from null to ceiling from which explanations are the same: as the square of a correlation is the
share of variance that two things have in common, two runs then share at least half of the variance of ranks."""

OTHER = 0.3
"""Share below which they are others: two runs then share less than a tenth of the variance."""

ALIKE = 0.9
"""Share of samples predicted alike below which a retrained model is another model, however it is explained."""

ROOM = 0.1
"""Distance of null and ceiling below which the method itself cannot tell one explanation from another."""

TAILS: dict[Answer, str] = {
    "yes": "What one run shows is what another would show.",
    "partly": "Part of what one run shows is of that run alone: show the mean of several.",
    "no": "What one run shows is of that run alone.",
    "unclear": "Where the agreement of further runs would lie stays open.",
}


@dataclass(frozen=True)
class AcrossRuns:
    """What the verdict across runs rests on.

    Args:
        accuracy: of the worst run that is compared.
        agreement: mean rank correlation of the maps of two runs on samples that both predict alike; its null is that
            of shuffled maps, its ceiling that of a run with itself.
        alike: share of samples that two runs predict alike.
        runs: how many are compared.
        method: whose maps they are.
        left: names of the runs that are left out, as they have not learned the task.
    """

    accuracy: Estimate
    agreement: Estimate
    alike: Estimate
    runs: int
    method: str
    left: tuple[str, ...] = ()


def across_runs(found: AcrossRuns) -> Verdict:
    """Place the agreement of runs on the way from null to ceiling, with its interval over runs.

    The whole interval must lie where the answer says, and runs that predict otherwise are not the same: so few runs,
    whose interval is wide, give no firm answer.

    Args:
        found: the numbers.

    Returns:
        "not learned" when a run that is compared is no better than its null; else "yes", "partly", "no" or "unclear".

    Example:
        >>> accuracy, alike = (Estimate(0.98, 0.5, 1.0, (0.96, 0.99)) for _ in range(2))
        >>> agreement = Estimate(0.9, 0.0, 1.0, (0.85, 0.95))
        >>> across_runs(AcrossRuns(accuracy, agreement, alike, 8, "gradient")).answer
        'yes'
    """
    numbers = (found.agreement, found.alike)
    if not has_learned(found.accuracy):
        return Verdict(QUESTION, "not learned", "none", _nothing(found), numbers)
    number = found.agreement
    if number.ceiling - number.null < ROOM:
        return Verdict(QUESTION, "unclear", "warning", _no_room(found), numbers)
    answer = _answer(number)
    if answer == "yes" and found.alike.low < ALIKE:
        answer = "partly"
    return Verdict(
        QUESTION, answer, LEVELS[answer], " ".join((_told(found), *_left(found), *_few(found), TAILS[answer])), numbers
    )


def not_asked(why: str) -> Verdict:
    """Say that the question was not put.

    Args:
        why: and how to ask it.

    Returns:
        A verdict that is none.
    """
    return Verdict(QUESTION, "not asked", "none", why)


def _answer(number: Estimate) -> Answer:
    low, high = (number.rescale(end) for end in (number.low, number.high))
    if low >= SAME:
        return "yes"
    if low < OTHER and high >= SAME:
        return "unclear"
    return "no" if low <= 0 or high < OTHER else "partly"


def _told(found: AcrossRuns) -> str:
    number, null = found.agreement, round(found.agreement.null, 2) + 0.0  # not "-0.00"
    return (
        f"The maps of {found.method} by two of {found.runs} runs have a rank correlation of {number.value:.2f}, "
        f"{max(0.0, number.rescale(number.value)):.0%} of the way from shuffled maps ({null:.2f}) to the same run "
        f"asked twice ({number.ceiling:.2f}); {found.alike.value:.0%} of the samples are predicted alike."
    )


def _nothing(found: AcrossRuns) -> str:
    return (
        f"Fewer than two of {found.runs} runs are better than always naming the most frequent class "
        f"({found.accuracy.null:.0%}): there is nothing to compare yet."
    )


def _left(found: AcrossRuns) -> tuple[str, ...]:
    if not found.left:
        return ()
    have = "has" if len(found.left) == 1 else "have"
    return (f"Left out: {', '.join(found.left)}, which {have} not learned the task.",)


def _few(found: AcrossRuns) -> tuple[str, ...]:
    if found.runs == 2:
        return ("Two runs make a single pair, which does not tell how far pairs differ.",)
    return (f"{found.runs} runs are few: the interval holds all pairs of them.",) if found.runs < FEW else ()


def _no_room(found: AcrossRuns) -> str:
    number = found.agreement
    return (
        f"The same run asked twice scores {number.ceiling:.2f} and shuffled maps score {number.null:.2f}: the maps of "
        f"{found.method} are constant or mostly noise, so that runs cannot be told apart by them."
    )
