"""Bits of models that read a known part of their input."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from perdure.attribution.input_iba import InputIBA
from perdure.audit.down_to_input import survives
from perdure.audit.information import estimate_information, measure_information
from perdure.core.batch import Batch
from perdure.core.estimate import Estimate
from perdure.records.scores import Case

CASE = Case("test", "noise", "net", "input_iba", 0)


class ReadsOne(nn.Module):
    """Reads the first number of the first step."""

    def forward(self, x):
        total = 4 * x[:, 0, 0]
        return torch.stack([-total, total], 1)


@pytest.fixture
def batch(generator):
    x = torch.randn(12, 4, 3, generator=generator)
    return Batch(x, (x[:, 0, 0] > 0).long())


def test_a_model_of_one_number_needs_a_small_part_of_the_bits(batch, tmp_path):
    method = InputIBA(granularity="element", copies=4, steps=60)
    score = measure_information(ReadsOne(), batch, batch, method, case=CASE, folder=tmp_path)
    assert (score.values < 0.3 * score.ceiling).all()
    assert score.null.tolist() == [0.0] * 12
    bits, kept = estimate_information(score, 0)
    assert bits.null < bits.low < bits.value < bits.high < bits.ceiling
    assert kept.null < 0.6
    assert kept.low > kept.null  # the few bits that are left are those that determine the class
    assert kept.ceiling == pytest.approx(ReadsOne()(batch.inputs).softmax(1).amax(1).mean().item())


def test_a_stored_result_is_not_searched_again(batch, tmp_path):
    method = InputIBA(steps=2, copies=2)
    first = measure_information(ReadsOne(), batch, batch, method, case=CASE, folder=tmp_path)
    again = measure_information(nn.Identity(), batch, batch, method, case=CASE, folder=tmp_path)
    assert torch.equal(first.values, again.values)


@given(st.tuples(*[st.floats(0, 1)] * 4))
def test_predictions_survive_only_near_their_probability(numbers):
    value, null, ceiling, end = numbers
    kept = Estimate(value, null, ceiling, (min(value, end), max(value, end)))
    assert survives(kept) == (value >= 0.85 * ceiling and min(value, end) > null)
