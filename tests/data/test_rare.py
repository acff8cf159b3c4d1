"""Rare features and rare times: the process, and integrated gradients of the known function."""

import pytest
import torch

import perdure
from perdure.core.errors import SettingError
from perdure.data.rare_feature import RareFeature
from perdure.data.rare_time import RareTime

SEEDS = torch.arange(6)

BOTH = pytest.mark.parametrize("kind", [RareFeature, RareTime])


@BOTH
def test_integrated_gradients_from_zero_find_the_truth_exactly(kind):
    batch = kind(train=1, validation=1, test=4).load(0).test
    model = perdure.Adapted(kind().white_box(), given={"active": batch.truth}, outputs="numbers")
    attribution = perdure.attribute(
        model, batch.inputs, "integrated_gradients:baseline=zero", target=lambda outputs: outputs.sum(1)
    )
    torch.testing.assert_close(attribution.values, batch.inputs.square() * batch.truth, atol=1e-3, rtol=1e-3)
    score = perdure.evaluate(attribution, "auprc", truth=batch.truth)
    assert score.values.tolist() == pytest.approx([1.0] * 4)


@BOTH
def test_half_of_one_axis_and_five_of_the_other_are_true(kind):
    batch = kind().draw(SEEDS)
    assert batch.truth.sum((1, 2)).tolist() == [125] * 6
    axis = 2 if kind is RareFeature else 1
    many = batch.truth.any(axis)
    assert torch.equal(many, (torch.arange(50) >= 12).expand(6, -1) & (torch.arange(50) <= 36))
    few = batch.truth.any(3 - axis)
    assert few.sum(1).tolist() == [5] * 6
    assert len({tuple(row.tolist()) for row in few}) > 1
    if kind is RareTime:  # consecutive
        assert ((few[:, 1:] & few[:, :-1]).sum(1) == 4).all()


@BOTH
def test_the_process_is_that_of_the_literal_recursion(kind):
    x = kind().draw(torch.arange(60)).inputs.double()
    past = [torch.nn.functional.pad(x, (0, 0, lag, 0))[:, :50] for lag in (1, 2, 3)]
    innovation = x + 0.25 * past[0] + 0.1 * past[1] + 0.05 * past[2]
    assert innovation.mean().abs() < 0.02
    assert innovation.var().item() == pytest.approx(1, abs=0.02)
    assert x[:, 10:].var().item() == pytest.approx(1.0684, abs=0.02)
    flat = innovation.transpose(1, 2).flatten(0, 1)
    assert abs(torch.corrcoef(torch.stack([flat[:, 1:].flatten(), flat[:, :-1].flatten()]))[0, 1]) < 0.01


@BOTH
def test_one_generator_for_all_samples_gives_all_the_same_truth(kind):
    truth = kind(as_published="code").draw(SEEDS).truth
    assert (truth == truth[:1]).all()
    with pytest.raises(SettingError, match="as_published"):
        kind(as_published="paper")


@BOTH
def test_facts(kind):
    facts = kind(train=1, validation=1, test=50).measure_facts(0)
    assert facts.prevalence == 0.05
    assert 0.5 <= facts.base_rate < 0.75
    assert facts.ideal_accuracy is None
