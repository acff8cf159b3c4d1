from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from perdure.audit.across_runs import (
    ALIKE,
    OTHER,
    SAME,
    EvidenceAcrossRuns,
    decide_across_runs,
    skip_across_runs,
    summarise_runs,
)
from perdure.core.estimate import Estimate
from perdure.models.recurrent import Recurrent
from perdure.stability.members import EnsembleMember, select_learned


def verdict(value, low, high, *, null=0.0, ceiling=1.0, alike=1.0, runs=8, accuracy=0.9):
    agreement = Estimate(value, null, ceiling, (low, high), name="Spearman")
    same = Estimate(alike, 0.5, 1.0, (alike, alike), name="predicted alike")
    right = Estimate(accuracy, 0.5, 1.0, (accuracy, accuracy), name="accuracy")
    return decide_across_runs(EvidenceAcrossRuns(right, agreement, same, runs, "gradient"))


@pytest.mark.parametrize(
    ("value", "low", "high", "answer", "level"),
    [
        (0.9, SAME, 0.95, "yes", "good"),
        (0.9, SAME - 0.01, 0.95, "partly", "warning"),
        (0.5, 0.4, 0.6, "partly", "warning"),
        (0.5, 0.1, 0.9, "unclear", "warning"),
        (0.2, 0.1, OTHER - 0.01, "no", "bad"),
        (0.2, -0.1, 0.5, "no", "bad"),
    ],
)
def test_the_whole_interval_must_lie_in_the_range_of_the_answer(value, low, high, answer, level):
    result = verdict(value, low, high)
    assert (result.answer, result.level) == (answer, level)
    assert f"{value:.2f}" in result.sentence


def test_the_way_goes_from_the_null_to_the_ceiling():
    """0.5 is nothing above a null of 0.5, and all there is below a ceiling of 0.5."""
    assert verdict(0.5, 0.48, 0.52, null=0.5).answer == "no"
    assert verdict(0.5, 0.48, 0.52, ceiling=0.5).answer == "yes"
    assert "100% of the way" in verdict(0.5, 0.48, 0.52, ceiling=0.5).sentence


def test_runs_that_predict_otherwise_are_not_explained_the_same_way():
    assert verdict(0.9, 0.85, 0.95, alike=ALIKE - 0.01).answer == "partly"


def test_a_method_of_noise_or_constants_has_no_firm_answer():
    assert verdict(0.03, 0.01, 0.05, ceiling=0.05).answer == "unclear"
    assert verdict(1.0, 1.0, 1.0, null=1.0).answer == "unclear"


def test_few_runs_are_named_as_few():
    assert "single pair" in verdict(0.9, 0.0, 1.0, runs=2).sentence
    assert verdict(0.9, 0.0, 1.0, runs=2).answer == "unclear"
    assert "4 runs are few" in verdict(0.9, 0.8, 1.0, runs=4).sentence


def test_what_was_not_learned_or_tested_is_no_answer():
    assert verdict(0.9, 0.8, 1.0, accuracy=0.5).answer == "not learned"
    skipped = skip_across_runs("Test with --runs 5.")
    assert (skipped.answer, skipped.level, skipped.numbers) == ("not tested", "none", ())


def member(name, low):
    return EnsembleMember(
        name, Path(name), nn.Identity(), Recurrent(), Estimate(low + 0.05, 0.5, 1.0, (low, low + 0.1))
    )


def test_runs_that_have_not_learned_are_left_out_and_named():
    every = [member("seed 0", 0.9), member("seed 1", 0.42), member("seed 2", 0.8)]
    learned = select_learned(every)
    assert [member.name for member in learned] == ["seed 0", "seed 2"]
    numbers = Estimate(0.9, 0.0, 1.0, (0.8, 0.95)), Estimate(1.0, 0.5, 1.0, (1.0, 1.0))
    result = summarise_runs(learned, every, numbers, "gradient")
    assert result.answer == "yes"
    assert "two of 2 runs" in result.sentence
    assert "Left out: seed 1, which has not learned the task." in result.sentence


def test_one_run_that_has_learned_makes_no_verdict_across_runs():
    every = [member("seed 0", 0.9), member("seed 1", 0.42)]
    numbers = Estimate(0.5, 0.0, 1.0, (0.4, 0.6)), Estimate(1.0, 0.5, 1.0, (1.0, 1.0))
    result = summarise_runs(select_learned(every), every, numbers, "gradient")
    assert result.answer == "not learned"
    assert "Fewer than two of 2 runs" in result.sentence


UNIT = st.floats(-1, 1)


@given(st.tuples(UNIT, UNIT, UNIT).map(sorted), UNIT, UNIT, st.floats(0, 1), st.integers(2, 12))
def test_no_answer_contradicts_its_numbers(agreement, null, ceiling, alike, runs):
    low, value, high = agreement
    result = verdict(value, low, high, null=null, ceiling=ceiling, alike=alike, runs=runs)
    (number, same) = result.numbers
    assert (number.value, same.value) == (value, alike)
    if result.answer == "yes":
        assert number.rescale(low) >= SAME
        assert alike >= ALIKE
    if result.answer == "no":
        assert low <= null or number.rescale(high) < OTHER  # no more than shuffled maps, or little more
    if result.answer == "partly":
        assert low > null
    if number.ceiling - number.null < 0.1:
        assert result.answer == "unclear"
