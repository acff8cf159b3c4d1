from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.audit.down_to_input import EvidenceDownToInput, decide_down_to_input, place_reference
from perdure.core.estimate import Estimate


def number(name: str, value: float, null: float, ceiling: float) -> Estimate:
    return Estimate(value, null, ceiling, (value - 0.01, value + 0.01), name=name)


def evidence(insertion=0.8, deletion=0.2, sensitivity=0.9, similarity=0.1, accuracy=0.95) -> EvidenceDownToInput:
    return EvidenceDownToInput(
        number("accuracy", accuracy, 0.5, 1.0),
        number("insertion", insertion, 0.5, 1.0),
        number("deletion", deletion, 0.5, 0.0),
        number("sensitivity-n", sensitivity, 0.0, 1.0),
        number("similarity", similarity, 1.0, 0.0),
        number("bits", 120.0, 0.0, 4000.0),
        number("kept", 0.9, 0.5, 0.95),
    )


@pytest.mark.parametrize(
    ("numbers", "answer", "level"),
    [
        ({}, "yes", "good"),
        ({"similarity": 0.9}, "partly", "warning"),  # faithful, though much of it is the input
        ({"similarity": 0.5}, "partly", "warning"),  # the interval holds the threshold
        ({"insertion": 0.5}, "partly", "warning"),  # one test that a random map passes as well
        ({"insertion": 0.5, "deletion": 0.5}, "partly", "warning"),
        ({"insertion": 0.5, "similarity": 0.9}, "no", "bad"),
        ({"insertion": 0.3}, "unclear", "warning"),  # worse by one test, better by two
        ({"insertion": 0.5, "deletion": 0.5, "sensitivity": 0.0}, "no", "bad"),
        ({"insertion": 0.3, "deletion": 0.7, "sensitivity": -0.3}, "no", "bad"),
        ({"sensitivity": 0.5}, "partly", "warning"),  # right for half of the inputs
        ({"sensitivity": 0.755}, "partly", "warning"),  # the interval holds the threshold
        ({"sensitivity": 0.2}, "no", "bad"),  # next to nothing, although better than chance by all tests
        ({"sensitivity": 0.5, "similarity": 0.9}, "no", "bad"),
    ],
)
def test_the_answer_follows_the_rules(numbers, answer, level):
    verdict = decide_down_to_input(evidence(**numbers))
    assert (verdict.answer, verdict.level) == (answer, level)


def test_less_deletion_is_better():
    assert "worse than chance by deletion" in decide_down_to_input(evidence(deletion=0.7)).sentence
    assert "better than chance by insertion, deletion and sensitivity-n." in decide_down_to_input(evidence()).sentence


def test_a_test_with_a_p_value_is_passed_by_it():
    number = replace(evidence().insertion, p=0.2)
    verdict = decide_down_to_input(replace(evidence(), insertion=number))
    assert verdict.answer == "partly"  # its interval lies above the null
    assert "no better than chance by insertion" in verdict.sentence
    beyond = replace(evidence(insertion=0.5).insertion, p=0.01)  # paired, the gap is sure
    assert decide_down_to_input(replace(evidence(), insertion=beyond)).answer == "yes"
    worse = replace(evidence(insertion=0.3).insertion, p=1.0)
    assert decide_down_to_input(replace(evidence(), insertion=worse)).answer == "unclear"


@pytest.mark.parametrize(
    ("similarity", "floor", "answer"),
    [
        (0.75, 0.6, "yes"),  # the maps of all models have the input in common
        (0.85, 0.6, "partly"),
        (0.97, 0.97, "partly"),  # an edge detector with noise: redrawn models have everything in common
        (1.0, 1.0, "partly"),
        (0.2, 1.0, "yes"),  # redrawn models with constant maps
        (0.3, -0.1, "yes"),
    ],
)
def test_similarity_to_redrawn_models_is_read_above_theirs_to_each_other(similarity, floor, answer):
    number = Estimate(similarity, 1.0, floor, (similarity - 0.01, similarity + 0.01))
    assert decide_down_to_input(replace(evidence(), similarity=number)).answer == answer


def test_the_reference_is_the_best_map_as_far_as_it_is_good_enough():
    own = number("sensitivity-n", 0.4, 0.0, 1.0)
    assert place_reference(own, [0.6, 0.55]).ceiling == 0.6
    assert place_reference(replace(own, value=0.2), [0.1]).ceiling == 0.3  # maps that show nothing
    assert place_reference(replace(own, value=0.7), [0.6]).ceiling == 0.7
    assert place_reference(own, []).ceiling == 1.0  # a single method has no reference


def test_bits_are_reported_and_do_not_change_the_answer():
    much = replace(evidence(), bits=number("bits", 3999.0, 0.0, 4000.0), kept=number("kept", 0.5, 0.5, 0.95))
    assert decide_down_to_input(much).answer == "yes"
    assert "Of 4,000 bits the prediction needs about 120" in decide_down_to_input(evidence()).sentence


@pytest.mark.parametrize(("kept", "without"), [(0.505, 0.5), (0.34, 0.25), (0.8, 0.25)])
def test_bits_with_which_the_prediction_is_lost_are_no_need(kept, without):
    lost = replace(evidence(), bits=number("bits", 12.2, 0.0, 58.0), kept=number("kept", kept, without, 0.99))
    sentence = decide_down_to_input(lost).sentence
    assert "How many of 58 bits the prediction needs was not found" in sentence
    assert "needs about" not in sentence
    assert f"the 12 at the end of the search its class has a probability of {kept:.2f} instead of 0.99" in sentence


def test_without_a_search_there_are_no_bits():
    verdict = decide_down_to_input(replace(evidence(), bits=None, kept=None))
    assert verdict.answer == "yes"
    assert "bits" not in verdict.sentence
    assert len(verdict.numbers) == 4


def test_few_samples_are_named_in_the_verdict():
    few = replace(evidence(), insertion=replace(evidence().insertion, n=4))
    assert "Only 4 samples were tested" in decide_down_to_input(few).sentence
    many = replace(evidence(), insertion=replace(evidence().insertion, n=10))
    assert "samples were tested" not in decide_down_to_input(many).sentence


def estimates(null: float, ceiling: float) -> st.SearchStrategy[Estimate]:
    low, high = sorted((null, ceiling))
    ends = st.tuples(*[st.floats(low - 1, high + 1)] * 3).map(sorted)
    return ends.map(lambda e: Estimate(e[1], null, ceiling, (e[0], e[2]), n=20))


@given(
    estimates(0.5, 1.0),
    estimates(0.5, 0.0),
    estimates(0.0, 1.0),
    estimates(1.0, 0.0),
    st.floats(0, 60),
    st.floats(0, 1),
)
def test_no_answer_contradicts_its_numbers(insertion, deletion, sensitivity, similarity, bits, kept):
    right = Estimate(0.9, 0.5, 1.0, (0.9, 0.9))
    needed, survived = Estimate(bits, 0.0, 58.0), Estimate(kept, 0.25, 0.99, (kept, kept))
    verdict = decide_down_to_input(
        EvidenceDownToInput(right, insertion, deletion, sensitivity, similarity, needed, survived)
    )
    better = {
        "insertion": insertion.low > insertion.null,
        "deletion": deletion.high < deletion.null,
        "sensitivity-n": sensitivity.low > sensitivity.null,
    }
    first = verdict.sentence.partition(". By sensitivity-n")[0]
    for name, is_better in better.items():
        assert (f"{name}" in first.partition("no better")[0].partition("worse")[0]) == is_better
    if verdict.answer == "yes":
        assert all(better.values())
        assert similarity.high < similarity.null
        assert "nearly all" in verdict.sentence
    if verdict.answer == "no":
        assert not all(better.values()) or sensitivity.low < 0.75
    assert ("next to nothing" in verdict.sentence) == (sensitivity.high <= 0.25)
    assert ("needs about" in verdict.sentence) == (kept >= 0.85 * 0.99)
    assert ("shows what was learnt" in verdict.sentence) == (similarity.high < 0.5)


def test_a_model_at_chance_has_nothing_to_explain():
    assert decide_down_to_input(evidence(accuracy=0.505)).answer == "not learned"
