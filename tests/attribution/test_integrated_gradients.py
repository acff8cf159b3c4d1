import warnings

import pytest
import torch
from captum.attr import IntegratedGradients as Captum
from hypothesis import given
from hypothesis import strategies as st

from perdure.attribution.integrated_gradients import IntegratedGradients
from perdure.core.errors import CompletenessWarning, SettingError
from perdure.core.query import Query
from perdure.core.target import Logit
from perdure.ops.baseline import baseline_of
from perdure.ops.sequence import length_mask
from tests.cases import Linear, Opaque, Quadratic, perceptron, recurrent, stream
from tests.reference.integrated_gradients import integrated_gradients

LABEL = torch.tensor([0, 1, 1, 0])
SERIES = 2 * torch.randn(4, 7, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([7, 5, 1, 2])


def gaps(query, values, baseline="zero"):
    change = query.value(query.x) - query.value(baseline_of(baseline, query))
    return (values.flatten(1).sum(1) - change).abs()


@pytest.mark.parametrize("method", [IntegratedGradients(steps=1), IntegratedGradients(tolerance=1e-9)])
def test_models_up_to_degree_two_are_exact(method):
    x = torch.randn(4, 6, generator=stream(), dtype=torch.float64)
    linear, quadratic = Linear(6), Quadratic(6)
    result = method.scores(Query(linear, x, Logit(LABEL)))
    torch.testing.assert_close(result, x * linear.weight[LABEL].detach())
    result = method.scores(Query(quadratic, x, lambda logits: logits[:, 0]))
    torch.testing.assert_close(result, x * (quadratic.b + x @ quadratic.a / 2))


@pytest.mark.parametrize("baseline", ["zero", "mean"])
def test_a_loop_over_samples_with_many_midpoints_agrees(baseline):
    model = recurrent().double()
    query = Query(model, SERIES, Logit(LABEL), length_mask(LENGTHS, 7))
    start = baseline_of(baseline, query)
    for method in (IntegratedGradients(baseline=baseline), IntegratedGradients(tolerance=1e-7, baseline=baseline)):
        result = method.scores(query)
        for i, (label, length) in enumerate(zip(LABEL, LENGTHS, strict=True)):
            item = lambda p, label=label: model(p)[:, label]  # noqa: E731
            expected = integrated_gradients(item, SERIES[i, :length], start[i, :length], 2000)
            torch.testing.assert_close(result[i, :length], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_captum_agrees_at_equal_steps(cell):
    model, x = Opaque(cell).double().eval(), SERIES
    expected = Captum(model).attribute(x, target=LABEL, n_steps=20)
    torch.testing.assert_close(IntegratedGradients(steps=20).scores(Query(model, x, Logit(LABEL))), expected)


@given(st.integers(0, 1000), st.sampled_from([1e-2, 1e-4, 1e-6]), st.sampled_from(["zero", 0.7]))
def test_maps_are_complete_to_the_tolerance(seed, tolerance, baseline):
    x = 3 * torch.randn(4, 5, generator=stream(seed), dtype=torch.float64)
    query = Query(perceptron().double(), x, Logit(LABEL))
    method = IntegratedGradients(tolerance=tolerance, baseline=baseline)
    assert gaps(query, method.scores(query), baseline).max() <= tolerance


def test_only_samples_above_the_tolerance_get_more_nodes():
    x = torch.cat([torch.zeros(99, 7, 4), 4 * torch.randn(1, 7, 4, generator=stream())]).double()
    label = torch.zeros(100, dtype=torch.long)
    query = Query(recurrent().double(), x, Logit(label))
    method = IntegratedGradients(tolerance=1e-6)
    values = method.scores(query)
    spent = query.passes.backward
    alone = Query(query.model, x[99:], Logit(label[99:]))
    torch.testing.assert_close(values[99:], method.scores(alone))
    assert spent == 99 * 5 + alone.passes.backward


def test_a_sample_without_a_finite_map_leaves_its_batch_mates_alone():
    x = 3 * torch.randn(3, 7, 4, generator=stream(), dtype=torch.float64)
    label, method = torch.zeros(3, dtype=torch.long), IntegratedGradients(tolerance=1e-4, max_steps=40)
    expected = method.scores(Query(recurrent().double(), x[1:], Logit(label[1:])))
    x[0] = torch.nan
    with pytest.warns(CompletenessWarning, match="of 1 samples"):
        result = method.scores(Query(recurrent().double(), x, Logit(label)))
    torch.testing.assert_close(result[1:], expected)


def test_fewer_gradients_than_fifty_steps_for_a_gap_of_a_thousandth():
    x = 3 * torch.randn(32, 20, 4, generator=stream(), dtype=torch.float64)
    query = Query(recurrent(hidden_size=16).double(), x, Logit(torch.zeros(32, dtype=torch.long)))
    assert gaps(query, IntegratedGradients(tolerance=1e-3).scores(query)).max() <= 1e-3
    assert query.passes.backward <= 25 * 32


def test_a_step_in_the_target_warns_and_stays_within_its_budget():
    step = lambda x: torch.sigmoid(1e9 * (x.sum(1, keepdim=True) - 0.3))  # noqa: E731
    query = Query(step, torch.tensor([[1.0], [0.1]]), lambda logits: logits[:, 0])
    with pytest.warns(CompletenessWarning, match="of 1 samples is above 0.01 with at most 40"):
        values = IntegratedGradients(tolerance=1e-2, max_steps=40).scores(query)
    assert query.passes.backward <= 30 + 5  # halving finds the jump to 1e-6 in 18 steps, and none follows
    assert values.isfinite().all()


def test_no_warning_when_the_tolerance_is_met():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        IntegratedGradients(tolerance=1e-3).scores(Query(perceptron(), torch.ones(4, 5), Logit(LABEL)))


@pytest.mark.parametrize("settings", [{"steps": 0}, {"tolerance": 0.0}, {"max_steps": 4}, {"baseline": "black"}])
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        IntegratedGradients(**settings)
