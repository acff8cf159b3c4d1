"""The verdict down to the input: does the map show what the prediction needs, and is it of this model?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from perdure.audit.result import QUESTIONS
from perdure.core.estimate import CHANCE, Estimate, Level, Verdict
from perdure.stability.members import describe_not_learned, has_learned

__all__ = [
    "EvidenceDownToInput",
    "decide_down_to_input",
    "is_reference",
    "list_constants",
    "place_reference",
    "survives",
]

QUESTION = QUESTIONS["down_to_input"]

KEPT = 0.5
"""Way from the similarity of redrawn models to each other to identity: below, a map depends on the weights; above, on
something else."""

SURVIVES = 0.85
"""Fraction of its probability that a prediction keeps with the bits that it needs; the search aims at 0.9."""

FEW = 10
"""Bits below which a decimal is shown; samples below which the sentence gives their number."""

MOST = 0.9
"""Rank correlation with the maps of redrawn models above which a map does not depend on the weights, whatever these
have in common: the maps of a method that ignores them differ by no more than noise."""

SHOWN = 0.75
"""Fraction of the sensitivity of the best map from which a map shows what the prediction needs: half way between a map
that is right for half of the inputs and one that is right for all."""

LOST = 0.25
"""Fraction up to which a map does not show it: half way between a map that is right for no input and one that is right
for half."""

REFERENCE = 0.3
"""Sensitivity that the best map of a panel must have to be the ceiling of others."""

LEVELS: Mapping[str, Level] = {"yes": "good", "partly": "warning", "unclear": "warning", "no": "bad"}

Comparison = Literal["better", "like", "worse"]


@dataclass(frozen=True)
class EvidenceDownToInput:
    """Estimates behind the verdict down to the input; the null of a metric is the score of random maps.

    Args:
        accuracy: Accuracy on test samples; its null is the frequency of the most frequent class.
        insertion: Area under the probability while the highest inputs are inserted.
        deletion: Area under the probability while they are deleted; less is better.
        sensitivity: Correlation of the attribution of random sets of inputs with the decrease of the output.
        similarity: Rank correlation with maps of the same model with redrawn weights; less is better. The null, a map
            that is independent of the model, is 1, and the ceiling the similarity of redrawn models to each other.
        bits: Bits that the search for those that the prediction needs ended with, of those that an even mask transmits;
            None without a search.
        kept: Probability of the class with these bits, between that without any and that with the whole input.
    """

    accuracy: Estimate
    insertion: Estimate
    deletion: Estimate
    sensitivity: Estimate
    similarity: Estimate
    bits: Estimate | None = None
    kept: Estimate | None = None


def decide_down_to_input(evidence: EvidenceDownToInput) -> Verdict:
    """Combine three tests of faithfulness and one of dependence on the weights.

    Insertion, deletion and sensitivity-n are passed when a permutation test finds the map better than its null
    (one-sided p up to 0.025) or, where there is none, when their interval lies on the better side of the null; they
    are failed when it lies on the other. Sensitivity-n also measures how much is shown: it is proportional to the
    correlation of a map with the contributions of the inputs, so that a map that is right for half of the inputs lies
    half way from the null to the best map. A map depends on the weights when the interval of its similarity to maps of
    redrawn models lies below the middle between identity and the similarity of these to each other, at most 0.9, and
    does not when it lies above.

    - yes: all three are passed, sensitivity-n with its whole interval 75 % of the way to the best map, and the map
      depends on the weights;
    - no: none is passed, or the whole interval of sensitivity-n lies below 25 %, or less is shown than for "yes" and
      the map does not depend on the weights;
    - unclear: some are passed and others failed, so that the answer depends on the test;
    - partly: all else, such as a map that is right for half of the inputs.

    How often these answers are wrong is measured by the study `verdict_calibration`.

    Bits do not count: they measure the need of the prediction, not whether the map shows it.

    Args:
        evidence: Estimates of the map.

    Returns:
        "not learned" when the accuracy is not above its null; else one of the four answers.

    Example:
        >>> accuracy = Estimate(0.98, 0.5, 1.0, (0.96, 0.99))
        >>> up, down = Estimate(0.9, 0.5, 1.0, (0.9, 0.9)), Estimate(0.1, 0.5, 0.0, (0.1, 0.1))
        >>> decide_down_to_input(EvidenceDownToInput(accuracy, up, down, up, down, up, up)).answer
        'yes'
    """
    tested = (evidence.insertion, evidence.deletion, evidence.sensitivity, evidence.similarity)
    shown = (*tested, *(number for number in (evidence.bits, evidence.kept) if number is not None))
    if not has_learned(evidence.accuracy):
        return Verdict(QUESTION, "not learned", "none", describe_not_learned(evidence.accuracy), shown)
    tests = {
        "insertion": _compare_with_null(evidence.insertion),
        "deletion": _compare_with_null(evidence.deletion),
        "sensitivity-n": _compare_with_null(evidence.sensitivity),
    }
    answer = _answer(tuple(tests.values()), evidence.sensitivity, evidence.similarity)
    sentences = (
        _describe_tests(tests),
        _describe_fraction(evidence.sensitivity),
        _describe_similarity(evidence.similarity),
        *_describe_bits(evidence.bits, evidence.kept),
        *_describe_few(evidence.insertion.n),
    )
    return Verdict(QUESTION, answer, LEVELS[answer], " ".join(sentences), shown)


def _compare_with_null(number: Estimate) -> Comparison:
    """Compare an estimate with its null, by its p-value or its interval; the better side is that of the ceiling."""
    if number.p is not None and number.p <= CHANCE:
        return "better"
    low, high = number.low - number.null, number.high - number.null
    if number.ceiling < number.null:
        low, high = -high, -low
    return "better" if low > 0 and number.p is None else "worse" if high < 0 else "like"


def _find_limit(similarity: Estimate) -> float:
    """Find the similarity below which a map depends on the weights."""
    return min(similarity.ceiling + KEPT * (similarity.null - similarity.ceiling), MOST)


def _answer(tests: tuple[Comparison, ...], sensitivity: Estimate, similarity: Estimate) -> str:
    low, high = sensitivity.rescale(sensitivity.low), sensitivity.rescale(sensitivity.high)
    passed, limit = tests.count("better"), _find_limit(similarity)
    if passed == 0 or high <= LOST:
        return "no"
    if passed == len(tests) and low >= SHOWN:
        return "yes" if similarity.high < limit else "partly"
    if similarity.low > limit:
        return "no"
    return "unclear" if "worse" in tests else "partly"


def is_reference(insertion: Estimate, deletion: Estimate) -> bool:
    """Return whether a map may be the ceiling of others: it is better than chance by insertion and deletion.

    Args:
        insertion: Insertion of the map.
        deletion: Deletion of the map.

    Returns:
        True for a possible reference.

    Example:
        >>> is_reference(Estimate(0.9, 0.5, 1.0, p=0.001), Estimate(0.2, 0.5, 0.0, p=0.4))
        False
    """
    return _compare_with_null(insertion) == _compare_with_null(deletion) == "better"


def place_reference(sensitivity: Estimate, references: Sequence[float]) -> Estimate:
    """Replace the ceiling of a sensitivity by that of the best map of a panel.

    The exact contributions of a network whose inputs act together do not reach a sensitivity of 1, and neither does
    any other map. The best of several maps shows how much can be reached, if it is better than chance by insertion and
    deletion too (`is_reference`).

    Args:
        sensitivity: Sensitivity-n of the map.
        references: Sensitivity-n of references by other methods, as fine as this map; none to keep the ceiling of the
            metric.

    Returns:
        The estimate with the ceiling that was reached, at least 0.3.

    Example:
        >>> half = Estimate(0.4, 0.0, 1.0)
        >>> place_reference(half, [0.6]).ceiling, place_reference(half, []).ceiling
        (0.6, 1.0)
    """
    return replace(sensitivity, ceiling=max(sensitivity.value, REFERENCE, *references)) if references else sensitivity


def _describe_tests(tests: Mapping[str, Comparison]) -> str:
    groups = {kind: [name for name, result in tests.items() if result == kind] for kind in ("better", "like", "worse")}
    words = {"better": "better than", "like": "no better than", "worse": "worse than"}
    clauses = [f"{words[kind]} chance by {_join(names)}" for kind, names in groups.items() if names]
    return f"The map is {', '.join(clauses)}."


def _describe_fraction(sensitivity: Estimate) -> str:
    low, value, high = (sensitivity.rescale(end) for end in (sensitivity.low, sensitivity.value, sensitivity.high))
    fraction = (
        f"By sensitivity-n it is {max(0.0, value):.0%} of the way from chance ({sensitivity.null:.2f}) to the best "
        f"that is known ({sensitivity.ceiling:.2f})"
    )
    if low >= SHOWN:
        return f"{fraction}, which is nearly all."
    if high <= LOST:
        return f"{fraction}, which is next to nothing."
    return f"{fraction}."


def _describe_similarity(similarity: Estimate) -> str:
    limit = _find_limit(similarity)
    change = (
        f"Its rank correlation with the maps of redrawn models is {similarity.value:.2f}, "
        f"theirs with each other {similarity.ceiling:.2f}"
    )
    if similarity.high < limit:
        return f"{change}: it shows what was learnt."
    if similarity.low > limit:
        return f"{change}: most of it shows the input or the architecture, not what was learnt."
    return f"{change}: how much of it was learnt stays open."


def _describe_bits(bits: Estimate | None, kept: Estimate | None) -> tuple[str, ...]:
    """Describe the bits of the search as a need only where the prediction survives with them."""
    if bits is None or kept is None:
        return ()
    count = f"{bits.value:,.0f}" if bits.value >= FEW else f"{bits.value:.1f}"
    if not survives(kept):
        return (
            f"How many of {bits.ceiling:,.0f} bits the prediction needs was not found: with the {count} at the end of "
            f"the search its class has a probability of {kept.value:.2f} instead of {kept.ceiling:.2f}, and with none "
            f"{kept.null:.2f}.",
        )
    return (
        f"Of {bits.ceiling:,.0f} bits the prediction needs about {count}, with which its class has a "
        f"probability of {kept.value:.2f} instead of {kept.ceiling:.2f}.",
    )


def list_constants() -> dict[str, float]:
    """List the constants of the rule, which are stored with its error rates.

    Returns:
        Values by name.
    """
    return {"shown": SHOWN, "lost": LOST, "reference": REFERENCE, "kept": KEPT, "most": MOST, "chance": CHANCE}


def survives(kept: Estimate) -> bool:
    """Return whether predictions survive with the bits of a search.

    Args:
        kept: Probability of the class with these bits, between that without any and that with the whole input.

    Returns:
        True where the probability is nearly that with the whole input, and more than that without any.

    Example:
        >>> survives(Estimate(0.95, 0.2, 0.99, (0.9, 0.97))), survives(Estimate(0.34, 0.2, 0.99, (0.3, 0.4)))
        (True, False)
    """
    return kept.value >= SURVIVES * kept.ceiling and kept.low > kept.null


def _describe_few(samples: int) -> tuple[str, ...]:
    if samples >= FEW:
        return ()
    return (f"Only {samples} {'sample was' if samples == 1 else 'samples were'} tested: that is too few to be sure.",)


def _join(names: list[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
