"""The verdict over time: does the explanation reach back to where the evidence lies?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from perdure.audit.explain import ExplainedModel
from perdure.audit.result import QUESTIONS
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.core.estimate import Estimate, Level, Verdict
from perdure.core.metric import Measurement
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.spec import strip_settings
from perdure.metrics.vanishing import Vanishing
from perdure.ops.bootstrap import bootstrap_interval
from perdure.stability.members import describe_not_learned, has_learned

__all__ = [
    "QUESTION",
    "EvidenceOverTime",
    "collect_evidence_over_time",
    "decide_over_time",
    "find_answer",
    "measure_vanishing",
]

QUESTION = QUESTIONS["over_time"]

VANISHES = 0.5
"""Distance of two vanishing indices from which a map vanishes or lies too early: a quarter of the series."""

FADES = 0.15
"""Distance from which it fades, falls short or lies too early: a thirteenth of the series."""

TAILS = {
    "vanishes": " What the model read early is missing from the map.",
    "fades": " Early steps are weaker in the map than in the model.",
    "falls short": " The map does not favour late steps, but it does not reach as far back as the evidence.",
    "lies too early": " The map marks steps before the evidence.",
}

REFERENCE = " This map itself locates the evidence, so that the question is no test of it."

FLAT_REACH = 0.25
"""Fraction of attribution in the earliest quarter of a flat map."""


@dataclass(frozen=True)
class EvidenceOverTime:
    """Estimates behind the verdict over time.

    Args:
        accuracy: Accuracy on test samples; its null is the frequency of the most frequent class.
        index: Vanishing index of the explanation; its ceiling is the index of the evidence.
        reach: Fraction of attribution in the earliest quarter of the series; its ceiling is that of the evidence.
        evidence: Source of the evidence: the "truth" in the data, or "occlusion", which measures the change of the
            output without a stretch of time.
        ranking: AUROC of the explanation against the truth; None when the truth is unknown.
        is_reference: Whether the map itself locates the evidence.
    """

    accuracy: Estimate
    index: Estimate
    reach: Estimate
    evidence: Literal["truth", "occlusion"]
    ranking: Estimate | None = None
    is_reference: bool = False


def decide_over_time(evidence: EvidenceOverTime) -> Verdict:
    """Compare the place of the attribution with that of the evidence.

    The vanishing index v puts the attribution, on average, a fraction (1 - v) / 2 of the series before its end. The
    end of its interval that is nearer to the index of the evidence decides. A map can only vanish or fade if it favours
    late steps, that is, if its index is as far above that of a flat map:

    - vanishes, fades: later than the evidence and than a flat map, by 0.5 or 0.15;
    - falls short: later than the evidence, by 0.15, but not later than a flat map;
    - lies too early: earlier than the evidence, by 0.15;
    - reaches back: all else.

    Args:
        evidence: Estimates of the map and of the evidence.

    Returns:
        "not learned" when the accuracy is not above its null; else one of the five answers.

    Example:
        >>> accuracy = Estimate(0.98, 0.5, 1.0, (0.96, 0.99))
        >>> index, reach = (Estimate(value, 0.0, 0.0, (value, value)) for value in (0.94, 0.0))
        >>> decide_over_time(EvidenceOverTime(accuracy, index, reach, "truth")).answer
        'vanishes'
    """
    numbers = tuple(n for n in (evidence.index, evidence.reach, evidence.ranking) if n is not None)
    if not has_learned(evidence.accuracy):
        return Verdict(QUESTION, "not learned", "none", describe_not_learned(evidence.accuracy), numbers)
    answer, level = find_answer(evidence.index)
    tail = _describe_ranking(evidence.ranking) if answer == "reaches back" else TAILS[answer]
    reference = REFERENCE if evidence.is_reference else ""
    return Verdict(QUESTION, answer, level, _describe_place(evidence) + tail + reference, numbers)


def find_answer(index: Estimate) -> tuple[str, Level]:
    """Find the answer for a vanishing index.

    Args:
        index: Index between that of a flat map and, as its ceiling, that of the evidence.

    Returns:
        Answer and its assessment.

    Example:
        >>> find_answer(Estimate(0.0, 0.0, 0.1, (-0.1, 0.1)))
        ('reaches back', 'good')
    """
    later, earlier = index.low - index.ceiling, index.ceiling - index.high
    late = min(later, index.low - index.null)  # how much the map itself favours late steps
    if late > FADES:
        return ("vanishes", "bad") if late > VANISHES else ("fades", "warning")
    if later > FADES:
        return "falls short", "bad" if later > VANISHES else "warning"
    if earlier > FADES:
        return "lies too early", "bad" if earlier > VANISHES else "warning"
    return "reaches back", "good"


def _describe_place(evidence: EvidenceOverTime) -> str:
    subject = "the evidence lies" if evidence.evidence == "truth" else "the steps whose removal changes the output lie"
    return (
        f"On average the attribution lies {_before_end(evidence.index.value):.0%} of the series before its end, while "
        f"{subject} {_before_end(evidence.index.ceiling):.0%} before it."
    )


def _before_end(index: float) -> float:
    """Convert a vanishing index to a mean distance from the end, as a fraction of the series."""
    return (1 - index) / 2


def _describe_ranking(ranking: Estimate | None) -> str:
    if ranking is None or ranking.low > ranking.null:
        return ""
    return (
        f" To reach back is not to be right: its AUROC against the truth is {ranking.value:.2f}, "
        f"no better than a random map ({ranking.null:.2f})."
    )


def collect_evidence_over_time(
    explained: ExplainedModel, occlusion: ExplainedModel | None, batch: Batch, accuracy: Estimate, seed: int
) -> EvidenceOverTime:
    """Place the estimates of the verdict over time between null and evidence.

    Args:
        explained: Explanation to test, with its vanishing score.
        occlusion: Maps of the same model by occlusion; not used, and may be None, when the
            batch has a truth.
        batch: Explained samples.
        accuracy: Accuracy of the model.
        seed: Seed of the bootstrap.

    Returns:
        Estimates behind the verdict.
    """
    if batch.truth is not None:
        evidence = measure_vanishing(batch.truth.float(), batch)
    elif occlusion is not None:
        evidence = measure_vanishing(occlusion.maps, batch)
    else:
        raise UnsupportedError("nothing locates the evidence in time", "pass a batch with truth, or maps by occlusion")
    index = replace(
        explained.estimates["vanishing"],
        name="vanishing index",
        null=0.0,
        ceiling=evidence.values.mean().item(),
        higher_is_better=None,
    )
    values = explained.scores["vanishing"].aux["reach"]
    low, high = bootstrap_interval(values, stream(seed, "bootstrap", "reach"))
    reach = Estimate(
        values.mean().item(),
        FLAT_REACH,
        evidence.aux["reach"].mean().item(),
        (low.item(), high.item()),
        len(values),
        "fraction in the earliest quarter",
    )
    ranking = next((number for name, number in explained.estimates.items() if strip_settings(name) == "auroc"), None)
    source: Literal["truth", "occlusion"] = "occlusion" if batch.truth is None else "truth"
    is_reference = source == "occlusion" and occlusion is explained
    return EvidenceOverTime(accuracy, index, reach, source, ranking, is_reference)


def measure_vanishing(maps: Tensor, batch: Batch) -> Measurement:
    """Profile any maps of a batch over time.

    Args:
        maps: Attributions with the shape of the inputs.
        batch: Explained samples.

    Returns:
        Vanishing index, profile and reach of each sample.
    """
    query = Query(torch.nn.Identity(), batch.inputs, torch.Tensor.double, batch.mask)
    return Vanishing().measure(Attribution(maps.to(batch.inputs.device), source=query))
