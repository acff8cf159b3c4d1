"""The verdict over time: does the explanation reach back to where the evidence lies?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perdure.core.estimate import Estimate, Verdict
from perdure.stability.members import describe_not_learned, has_learned

__all__ = ["OverTime", "over_time"]

QUESTION = "Does the explanation reach back in time?"

VANISHES = 0.5
"""Excess of the vanishing index, at its low end, from which saliency vanishes: a quarter of the series too late."""

FADES = 0.15
"""Excess from which it fades: a thirteenth of the series too late."""

TOO_LATE = {
    "vanishes": " What the model read early is missing from the map.",
    "fades": " Early steps are shown weaker than they are.",
}


@dataclass(frozen=True)
class OverTime:
    """What the verdict over time rests on.

    Args:
        accuracy: of the model on test samples; its null is the share of the most frequent class.
        index: vanishing index of the explanation; its ceiling is the index of the evidence.
        reach: share of attribution in the earliest quarter of the series; its ceiling is that of the evidence.
        evidence: how the evidence is known: by the "truth" in the data, or by "occlusion", which asks the
            model what happens without a stretch of time.
        ranking: AUROC of the explanation against the truth; None when the truth is unknown.
    """

    accuracy: Estimate
    index: Estimate
    reach: Estimate
    evidence: Literal["truth", "occlusion"]
    ranking: Estimate | None = None


def over_time(found: OverTime) -> Verdict:
    """Weigh where the attribution lies against where the evidence lies.

    The vanishing index v puts the attribution, on average, a share (1 - v) / 2 of the series before its end. What
    counts is its excess over the index of the evidence, at the low end of its interval.

    Args:
        found: the numbers.

    Returns:
        "not learned" when the accuracy is not above its null; else "vanishes", "fades" or "reaches back".

    Example:
        >>> accuracy = Estimate(0.98, 0.5, 1.0, (0.96, 0.99))
        >>> index, reach = (Estimate(value, 0.0, 0.0, (value, value)) for value in (0.94, 0.0))
        >>> over_time(OverTime(accuracy, index, reach, "truth")).answer
        'vanishes'
    """
    numbers = tuple(n for n in (found.index, found.reach, found.ranking) if n is not None)
    if not has_learned(found.accuracy):
        return Verdict(QUESTION, "not learned", "none", describe_not_learned(found.accuracy), numbers)
    excess = found.index.low - found.index.ceiling
    if excess > FADES:
        answer = "vanishes" if excess > VANISHES else "fades"
        level: Literal["bad", "warning"] = "bad" if answer == "vanishes" else "warning"
        return Verdict(QUESTION, answer, level, _where(found) + TOO_LATE[answer], numbers)
    return Verdict(QUESTION, "reaches back", "good", _where(found) + _right(found.ranking), numbers)


def _where(found: OverTime) -> str:
    known = "the evidence lies" if found.evidence == "truth" else "the steps whose removal changes the output lie"
    return (
        f"On average the attribution lies {_before_end(found.index.value):.0%} of the series before its end, while "
        f"{known} {_before_end(found.index.ceiling):.0%} before it."
    )


def _before_end(index: float) -> float:
    """Turn a vanishing index into a mean distance from the end, as a share of the series."""
    return (1 - index) / 2


def _right(ranking: Estimate | None) -> str:
    if ranking is None or ranking.low > ranking.null:
        return ""
    return (
        f" To reach back is not to be right: its AUROC against the truth is {ranking.value:.2f}, "
        f"no better than a random map ({ranking.null:.2f})."
    )
