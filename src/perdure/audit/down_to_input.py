"""The verdict down to the input: does the map show what the prediction needs, and is it of this model?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from perdure.core.estimate import Estimate, Level, Verdict
from perdure.stability.members import describe_not_learned, has_learned

__all__ = ["DownToInput", "down_to_input"]

QUESTION = "Does the map show what the prediction needs, down to the input?"

KEPT = 0.5
"""Rank correlation with the maps of redrawn models: below, a map shows the weights; above, it shows something else."""

FEW = 10
"""Bits below which a tenth of one is told."""

LEVELS: Mapping[str, Level] = {"yes": "good", "partly": "warning", "unclear": "warning", "no": "bad"}

Standing = Literal["better", "like", "worse"]


@dataclass(frozen=True)
class DownToInput:
    """What the verdict down to the input rests on; the null of a judge is what random maps score.

    Args:
        accuracy: of the model on test samples; its null is the share of the most frequent class.
        insertion: area under the probability while the highest inputs come in.
        deletion: area under it while they go; less is better.
        sensitivity: correlation of the attribution of random sets of inputs with what the output loses.
        similarity: rank correlation with maps of the same model with redrawn weights; less is better, and the null,
            a map that does not look at the model, is 1.
        bits: that the prediction needs, of those that an even mask lets pass.
        kept: probability of the class with these bits, between that without any and that with the whole input.
    """

    accuracy: Estimate
    insertion: Estimate
    deletion: Estimate
    sensitivity: Estimate
    similarity: Estimate
    bits: Estimate
    kept: Estimate


def down_to_input(found: DownToInput) -> Verdict:
    """Weigh three tests of faithfulness and one of dependence on the weights.

    Insertion, deletion and sensitivity-n are passed when their interval lies on the better side of the null, and
    failed when it lies on the other. A map depends on the weights when the interval of its similarity to maps of
    redrawn models lies below 0.5, and does not when it lies above.

    - yes: all three are passed, and the map depends on the weights;
    - no: none is passed, or not all are and the map does not depend on the weights;
    - unclear: some are passed and others failed, so that the answer depends on the test;
    - partly: all else, such as one passed and two that a random map does as well.

    Bits do not enter: they tell how much the prediction needs, not whether the map shows it.

    Args:
        found: the numbers.

    Returns:
        "not learned" when the accuracy is not above its null; else one of the four answers.

    Example:
        >>> accuracy = Estimate(0.98, 0.5, 1.0, (0.96, 0.99))
        >>> up, down = Estimate(0.9, 0.5, 1.0, (0.9, 0.9)), Estimate(0.1, 0.5, 0.0, (0.1, 0.1))
        >>> down_to_input(DownToInput(accuracy, up, down, up, down, up, up)).answer
        'yes'
    """
    shown = (found.insertion, found.deletion, found.sensitivity, found.similarity, found.bits, found.kept)
    if not has_learned(found.accuracy):
        return Verdict(QUESTION, "not learned", "none", describe_not_learned(found.accuracy), shown)
    tests = {
        "insertion": _standing(found.insertion),
        "deletion": _standing(found.deletion),
        "sensitivity-n": _standing(found.sensitivity),
    }
    answer = _answer(tuple(tests.values()), found.similarity)
    sentence = " ".join((_faithful(tests), _dependent(found.similarity), _needed(found.bits, found.kept)))
    return Verdict(QUESTION, answer, LEVELS[answer], sentence, shown)


def _standing(number: Estimate) -> Standing:
    """Compare the interval of a number with its null; the ceiling tells which side is better."""
    low, high = number.low - number.null, number.high - number.null
    if number.ceiling < number.null:
        low, high = -high, -low
    return "better" if low > 0 else "worse" if high < 0 else "like"


def _answer(tests: tuple[Standing, ...], similarity: Estimate) -> str:
    passed = tests.count("better")
    if passed == len(tests):
        return "yes" if similarity.high < KEPT else "partly"
    if passed == 0 or similarity.low > KEPT:
        return "no"
    return "unclear" if "worse" in tests else "partly"


def _faithful(tests: Mapping[str, Standing]) -> str:
    groups = {kind: [name for name, one in tests.items() if one == kind] for kind in ("better", "like", "worse")}
    words = {"better": "better than", "like": "no better than", "worse": "worse than"}
    told = [f"{words[kind]} a random map by {_listed(names)}" for kind, names in groups.items() if names]
    return f"The map is {', '.join(told)}."


def _dependent(similarity: Estimate) -> str:
    change = f"Its rank correlation with the maps of redrawn models is {similarity.value:.2f}"
    if similarity.high < KEPT:
        return f"{change}: it shows what was learnt."
    if similarity.low > KEPT:
        return f"{change}: most of it shows the input or the architecture, not what was learnt."
    return f"{change}: how much of it was learnt stays open."


def _needed(bits: Estimate, kept: Estimate) -> str:
    """Tell the bits that were found, and no need where the prediction is lost with them."""
    found = f"{bits.value:,.0f}" if bits.value >= FEW else f"{bits.value:.1f}"
    if kept.low <= kept.null:
        return (
            f"How many of {bits.ceiling:,.0f} bits the prediction needs stays open: with the {found} that were found "
            f"its class has a probability of {kept.value:.2f}, no more than with none ({kept.null:.2f})."
        )
    return (
        f"Of {bits.ceiling:,.0f} bits the prediction needs about {found}, with which its class has a "
        f"probability of {kept.value:.2f} instead of {kept.ceiling:.2f}."
    )


def _listed(names: list[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
