"""State and Switch-Feature: the literal recursion, the published facts, and the ideal predictor."""

import math
from itertools import pairwise

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data.state import State
from perdure.data.switch_feature import SwitchFeature

SEEDS = torch.arange(300)


def test_the_chain_of_state_is_the_published_recursion():
    """Of two states and a counter of steps without a change, updated after the draw."""
    transition, state = State().chain().transition, State().chain().state
    assert torch.allclose(transition.sum(1), torch.ones(len(transition), dtype=torch.float64))
    current, counter, node = 1, 0, 1
    for following in (1, 1, 1, 0, 0, 1, 1):
        stay = 0.95 - counter / 500 if current else 0.05
        next_node = 0 if following == 0 else (node + 1 if current else 1)
        assert transition[node, next_node].item() == pytest.approx(stay if following else 1 - stay)
        assert state[next_node] == following
        counter = counter + 1 if following == current else 0
        current, node = following, next_node
    assert State().chain().start[:1].item() == pytest.approx(0.5 * 0.95 + 0.5 * 0.05)


@pytest.mark.parametrize(
    ("data", "base", "informed", "shape"),
    [(State(task="steps"), 0.568, 0.907, (200, 3)), (SwitchFeature(task="steps"), 0.658, 0.902, (100, 3))],
)
def test_the_published_facts(data, base, informed, shape):
    batch, state, chain = data.draw(SEEDS), data.draw_states(SEEDS), data.chain()
    assert batch.inputs.shape[1:] == shape
    assert batch.truth.double().mean().item() == pytest.approx(1 / 3)
    assert batch.label.double().mean().item() == pytest.approx(base, abs=0.02)
    deciding = batch.inputs.gather(2, chain.deciding[state][..., None])[..., 0]
    assert (batch.inputs[batch.truth] == deciding.flatten()).all()
    assert ((deciding > 0) == batch.label).double().mean().item() == pytest.approx(informed, abs=0.01)
    for i, mean in enumerate(chain.mean):
        values = batch.inputs[state == i].double()
        torch.testing.assert_close(values.mean(0), mean, atol=0.03, rtol=0)
        torch.testing.assert_close(values.T.cov(), chain.covariance[i], atol=0.03, rtol=0)


@pytest.mark.parametrize("kind", [State, SwitchFeature])
def test_the_ideal_predictor_is_nearly_as_good_as_one_with_the_states(kind):
    data = kind(task="steps", train=1, validation=1, test=60)
    facts = data.measure_facts(0)
    assert facts.prevalence == pytest.approx(1 / 3)
    assert facts.base_rate < 0.75
    assert 0.86 < facts.ideal_accuracy < 0.93
    assert kind(train=1, validation=1, test=60).measure_facts(0).ideal_accuracy > 0.75


def test_the_filter_equals_the_sum_over_all_paths():
    data = SwitchFeature()
    chain, x = data.chain(), data.draw(SEEDS[:1]).inputs[:, :3].double()
    law = [torch.distributions.MultivariateNormal(m, c) for m, c in zip(chain.mean, chain.covariance, strict=True)]
    weight = torch.zeros(3, dtype=torch.float64)
    for path in torch.cartesian_prod(*[torch.arange(3)] * 3).tolist():
        p = chain.start[path[0]] * math.prod(chain.transition[a, b] for a, b in pairwise(path))
        weight[path[-1]] += p * math.prod(law[s].log_prob(x[0, t]).exp() for t, s in enumerate(path))
    expected = (weight / weight.sum() * torch.sigmoid(3 * x[0, -1])).sum()
    assert data.ideal()(x).exp()[0, 1].item() == pytest.approx(expected.item())


def test_the_truth_follows_the_task():
    for kind in (State, SwitchFeature):
        every, last, changes = (kind(task=task).draw(SEEDS[:20]) for task in ("steps", "last", "changes"))
        state = kind().draw_states(SEEDS[:20])
        assert torch.equal(every.inputs, last.inputs)
        assert torch.equal(every.label[:, -1], last.label)
        assert torch.equal(last.truth[:, -1], every.truth[:, -1])
        assert last.truth.sum((1, 2)).tolist() == [1] * 20
        switched = torch.cat([torch.ones(20, 1, dtype=torch.bool), state.diff(dim=1) != 0], 1)
        assert torch.equal(changes.truth, every.truth & switched[..., None])


def test_the_published_start_of_switch_feature_never_is_the_third_state():
    assert (SwitchFeature(as_published="code").draw_states(SEEDS)[:, 0] < 2).all()
    assert (SwitchFeature().draw_states(SEEDS)[:, 0] == 2).any()
    assert SwitchFeature(as_published="paper").chain().gain == State(as_published="paper").chain().gain == 1


def test_a_sample_does_not_depend_on_the_number_of_samples():
    few, many = State(train=2).load(3).train, State(train=5).load(3).train
    assert torch.equal(few.inputs, many.inputs[:2])


@pytest.mark.parametrize("setting", [{"task": "first"}, {"as_published": "book"}, {"train": 0}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        State(**setting)
