from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (0.00, -0.7, "falls short", "bad"),  # a flat map of early evidence does not vanish
        (0.00, -0.3, "falls short", "warning"),
        (0.10, -0.7, "falls short", "bad"),  # hardly later than a flat map
        (0.30, -0.7, "fades", "warning"),  # much later than the evidence, a little later than a flat map
        (0.00, 0.3, "lies too early", "warning"),
        (-0.30, 0.7, "lies too early", "bad"),
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


INDEX = st.floats(-1, 1)


@given(st.tuples(INDEX, INDEX, INDEX).map(sorted), INDEX, st.floats(0, 1), st.sampled_from(["truth", "occlusion"]))
def test_no_answer_contradicts_its_numbers(index, place, ranking, source):
    low, value, high = index
    number = Estimate(value, 0.0, place, (low, high))
    right, reach, roc = Estimate(0.9, 0.5, 1.0, (0.9, 0.9)), Estimate(0.2, 0.25, 0.3), Estimate(ranking, 0.5, 1.0)
    verdict = decide_over_time(EvidenceOverTime(right, number, reach, source, roc))
    assert verdict.numbers == (number, reach, roc)
    if verdict.answer in ("vanishes", "fades"):
        assert low > place  # later than the evidence
        assert low > number.null  # and than a flat map
    elif verdict.answer == "falls short":
        assert low > place
    elif verdict.answer == "lies too early":
        assert high < place
    else:
        assert verdict.answer == "reaches back"
        assert not (low - place > 0.5)
        assert not (place - high > 0.5)
    assert {"vanishes": "bad", "fades": "warning", "reaches back": "good"}.get(verdict.answer, verdict.level) == (
        verdict.level
    )
    before, evidence_before = (1 - value) / 2, (1 - place) / 2
    assert f"the attribution lies {before:.0%} of the series" in verdict.sentence
    assert f"{evidence_before:.0%} before it" in verdict.sentence
