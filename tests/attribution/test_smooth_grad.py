import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.integrated_gradients import IntegratedGradients
from perdure.attribution.smooth_grad import SmoothGrad
from perdure.core.batch import Batch
from perdure.core.errors import SettingError, UnknownNameError, UnsupportedError
from perdure.core.query import Query
from perdure.core.random import sub_seeds
from perdure.core.registry import METHODS
from perdure.core.target import Logit
from tests.cases import Linear, Quadratic, perceptron, stream

LABEL = torch.tensor([0, 1, 1])
X = torch.randn(3, 5, generator=stream(), dtype=torch.float64)


@pytest.mark.parametrize("inner", ["gradient", "integrated_gradients:steps=3", IntegratedGradients(tolerance=1e-3)])
def test_without_noise_it_is_the_inner_method(inner):
    model = perceptron().double()
    result = attribute(model, X, SmoothGrad(inner, samples=3, noise=0.0), target=LABEL).values
    torch.testing.assert_close(result, attribute(model, X, inner, target=LABEL).values)


def test_on_a_linear_model_noise_does_not_matter():
    model = Linear(5)
    result = attribute(model, X, "smooth_grad", target=LABEL)
    torch.testing.assert_close(result.values, model.weight[LABEL].detach())
    assert result.provenance.backward == 3 * 20


def test_the_noise_has_the_requested_fraction_of_the_range():
    x = torch.tensor([[-1.0, 3.0], [0.0, 0.5]], dtype=torch.float64)
    model = Quadratic(2)
    model.a, model.b = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    query = Query(model, x, lambda logits: logits[:, 0], seeds=sub_seeds(stream(), 2))
    error = torch.stack([SmoothGrad(samples=1, noise=0.25).scores(query_of(query, s)) - x for s in range(500)])
    torch.testing.assert_close(
        error.std(0), torch.tensor([[1.0, 1.0], [0.125, 0.125]]).double(), rtol=0.13, atol=0
    )  # four errors
    assert error.mean(0).abs().max() < 0.18


def query_of(query, seed):
    return Query(query.model, query.x, query.target, seeds=sub_seeds(stream(seed), len(query.x)))


@pytest.mark.parametrize("rows", [1, 7, 2048])
def test_folded_copies_equal_a_loop(rows):
    seeds = sub_seeds(stream(), 3)
    model = perceptron().double()
    item, many = (Query(model, X, Logit(LABEL), seeds=seeds, batch_size=r) for r in (rows, 60))
    torch.testing.assert_close(SmoothGrad().scores(item), SmoothGrad().scores(many))


def test_settings_that_cannot_be_used():
    for settings in ({"samples": 0}, {"noise": -0.1}):
        with pytest.raises(SettingError, match=next(iter(settings))):
            SmoothGrad(**settings)
    with pytest.raises(UnknownNameError, match="gradient"):
        attribute(Linear(5), X, SmoothGrad("gradiant"), target=LABEL)


def test_the_inner_method_can_be_named_in_text():
    assert METHODS.make("smooth_grad:method=integrated_gradients,samples=3") == SmoothGrad("integrated_gradients", 3)
    made = METHODS.make("smooth_grad:method='integrated_gradients:steps=7',noise=0")
    inner = METHODS.make("smooth_grad", {"method": IntegratedGradients(steps=7), "noise": 0})
    result, expected = (attribute(Linear(5), X, item, target=LABEL).values for item in (made, inner))
    assert torch.equal(result, expected)


def test_an_inner_method_that_must_see_samples_is_fitted_through_it():
    inner, model = METHODS.make("input_iba:steps=2,copies=2"), Linear(7, 4)
    x = torch.randn(3, 7, 4, generator=stream(), dtype=torch.float64)
    seen = Batch(torch.randn(9, 7, 4, generator=stream(5), dtype=torch.float64), torch.zeros(9).long())
    smooth = METHODS.make("smooth_grad:method='input_iba:steps=2,copies=2',samples=1,noise=0")
    assert not smooth.is_fitted
    with pytest.raises(UnsupportedError, match="fit it first"):
        attribute(model, x, smooth, target=LABEL)
    fitted = smooth.fit(model, seen)
    assert fitted.is_fitted
    assert fitted.method.inputs.mean.equal(inner.fit(model, seen).inputs.mean)
    assert attribute(model, x, fitted, target=LABEL).provenance.fields["method"]["name"] == "input_iba"


def test_an_inner_method_that_needs_no_samples_is_as_good_as_fitted():
    smooth = SmoothGrad()
    assert smooth.is_fitted
    assert smooth.fit(Linear(5), Batch(X, LABEL)) is smooth
