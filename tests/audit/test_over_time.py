from dataclasses import replace

import pytest

from perdure.audit.over_time import EvidenceOverTime, decide_over_time
from perdure.core.estimate import Estimate


def number(name: str, value: float, null: float, ceiling: float) -> Estimate:
    return Estimate(value, null, ceiling, (value - 0.01, value + 0.01), name=name)


def evidence(
    index: float, place: float = 0.0, accuracy: float = 0.95, ranking: float | None = None
) -> EvidenceOverTime:
    roc = None if ranking is None else number("auroc", ranking, 0.5, 1.0)
    right = number("accuracy", accuracy, 0.5, 1.0)
    return EvidenceOverTime(right, number("index", index, 0.0, place), number("reach", 0.1, 0.25, 0.25), "truth", roc)


@pytest.mark.parametrize(
    ("index", "place", "answer", "level"),
    [
        (0.95, 0.0, "vanishes", "bad"),
        (0.30, 0.0, "fades", "warning"),
        (0.05, 0.0, "reaches back", "good"),
        (0.70, 0.68, "reaches back", "good"),  # the evidence itself lies late
        (0.00, -0.7, "vanishes", "bad"),  # a flat map of early evidence
    ],
)
def test_the_attribution_is_compared_with_the_evidence(index, place, answer, level):
    verdict = decide_over_time(evidence(index, place))
    assert (verdict.answer, verdict.level) == (answer, level)


def test_a_model_at_chance_has_nothing_to_explain():
    verdict = decide_over_time(evidence(0.95, accuracy=0.505))
    assert verdict.answer == "not learned"
    assert "50%" in verdict.sentence


def test_distances_are_fractions_of_the_series():
    sentence = decide_over_time(evidence(0.9, 0.2)).sentence
    assert "lies 5% of the series before its end" in sentence
    assert "evidence lies 40% before it" in sentence


def test_to_reach_back_is_not_to_be_right():
    assert "not to be right" in decide_over_time(evidence(0.0, ranking=0.45)).sentence
    assert "not to be right" not in decide_over_time(evidence(0.0, ranking=0.8)).sentence


def test_without_truth_the_evidence_is_what_occlusion_changes():
    sentence = decide_over_time(replace(evidence(0.0), evidence="occlusion")).sentence
    assert "whose removal changes the output" in sentence
