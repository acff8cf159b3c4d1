"""Quantus both ways. What needs the package runs in its own environment: `make check-quantus`."""

import copy
import sys

import numpy as np
import pytest
import torch
from torch import nn

import perdure
from perdure.attribution._attribute import attribute
from perdure.core.attribution import Attribution
from perdure.core.errors import DependencyError, SettingError, UnknownNameError, UnsupportedError
from perdure.core.query import Query, slice_query
from perdure.core.registry import METHODS
from perdure.core.target import Logit
from perdure.interop.quantus import as_explain_func
from perdure.interop.quantus_metric import QuantusMetric, _ImageModel
from perdure.metrics._evaluate import evaluate
from tests.cases import Linear, convolutional, make_rectified, recurrent, stream

LABEL = torch.tensor([0, 1, 0])
X = torch.randn(3, 6, 4, generator=stream())
IMAGES = torch.randn(3, 2, 6, 5, generator=stream())
LENGTHS = torch.tensor([6, 3, 4])

needs_quantus = pytest.mark.filterwarnings("ignore")
"""Warnings of Quantus and of what it imports are not ours."""


@pytest.fixture
def quantus():
    return pytest.importorskip("quantus")


def attribution(model, x, values=None, lengths=None, method="input_x_gradient", truth=None):
    mask = None if lengths is None else torch.arange(x.shape[1]) < lengths[:, None]
    if values is None:
        values = attribute(model, x, method, target=LABEL, lengths=lengths).values
    return Attribution(values, source=Query(model, x, Logit(LABEL), mask), truth=truth, method=METHODS.make(method))


@pytest.mark.parametrize("x", [X.numpy(), X.double().numpy(), X], ids=["single", "double", "tensor"])
def test_our_methods_explain_arrays_without_quantus(x):
    model = recurrent()
    result = as_explain_func("gradient_shap:samples=2")(model, x, LABEL.numpy(), device="cpu")
    expected = attribute(model, X, "gradient_shap:samples=2", target=LABEL).values.numpy()
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, expected)


def test_without_quantus_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "quantus", None)
    with pytest.raises(DependencyError, match=r"perdure\[quantus\]"):
        QuantusMetric("Sparseness")


@needs_quantus
def test_quantus_calls_our_methods(quantus):
    model, label = convolutional(), LABEL.numpy()
    metric = quantus.MaxSensitivity(nr_samples=3, disable_warnings=True)
    arguments = {"model": model, "x_batch": IMAGES.numpy(), "y_batch": label, "a_batch": None, "channel_first": True}
    scores = metric(**arguments, explain_func=as_explain_func("gradient"))
    assert len(scores) == 3
    assert all(score > 0 for score in scores)
    linear = quantus.MaxSensitivity(nr_samples=3, disable_warnings=True)
    arguments["model"] = Linear(2, 6, 5).float().eval()
    scores = linear(**arguments, explain_func=as_explain_func("gradient"))
    np.testing.assert_allclose(scores, 0, atol=1e-6)  # the gradient of a linear model is the same everywhere


@needs_quantus
def test_a_linear_model_explained_by_its_contributions_is_wholly_faithful(quantus):
    model = Linear(6, 4).float().eval()
    settings = {"nr_runs": 30, "subset_size": 4, "perturb_baseline": 0.0}
    score = evaluate(attribution(model, X), QuantusMetric("FaithfulnessCorrelation", settings), draws=2)
    torch.testing.assert_close(score.values, torch.ones(3))
    assert score.ceiling.tolist() == [1.0] * 3
    assert (score.null < 0.9).all()


@needs_quantus
def test_the_truth_is_what_places_are_compared_with(quantus):
    truth = torch.zeros(3, 6, 4, dtype=torch.bool)
    truth[:, 2:4] = True
    score = evaluate(
        attribution(recurrent(), X, truth.float(), truth=truth), QuantusMetric("RelevanceMassAccuracy"), draws=1
    )
    torch.testing.assert_close(score.values, torch.ones(3))
    torch.testing.assert_close(score.ceiling, torch.ones(3))
    assert (score.null < 0.6).all()
    images = torch.zeros(3, 2, 6, 5, dtype=torch.bool)
    images[..., 1:4, 2:4] = True
    score = evaluate(
        attribution(make_rectified(), IMAGES, images.float(), truth=images), QuantusMetric("PointingGame"), draws=1
    )
    assert score.values.tolist() == [1.0] * 3


@needs_quantus
@pytest.mark.parametrize("name", ["Sparseness", "Complexity", "MaxSensitivity", "Selectivity"])
def test_padding_does_not_matter_and_nothing_is_changed(quantus, name):
    settings = {"nr_samples": 2} if name == "MaxSensitivity" else {"patch_size": 1} if name == "Selectivity" else {}
    metric, model = QuantusMetric(name, settings), recurrent(pooling="mean")
    before, state = copy.deepcopy(model.state_dict()), np.random.get_state()[1].copy()
    whole = metric.measure(attribution(model, X, lengths=LENGTHS)).values
    padded = torch.cat([X, X], 1)
    torch.testing.assert_close(metric.measure(attribution(model, padded, lengths=LENGTHS)).values, whole)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert (np.random.get_state()[1] == state).all()


@needs_quantus
def test_directions_and_bounds_are_those_of_quantus(quantus):
    assert QuantusMetric("Sparseness").higher_is_better
    assert QuantusMetric("Sparseness").best == 1.0
    assert not QuantusMetric("Complexity").higher_is_better
    assert QuantusMetric("Complexity").best == 0.0
    assert QuantusMetric("Complexity", bound=0.5).best == 0.5
    assert QuantusMetric("AUC").needs_truth
    assert QuantusMetric("MPRT").needs_method


@needs_quantus
def test_what_cannot_be_measured_is_a_named_error(quantus):
    with pytest.raises(UnknownNameError, match="Sparseness"):
        QuantusMetric("Sparsenes")
    with pytest.raises(UnknownNameError, match="single samples"):
        QuantusMetric("SensitivityN")
    with pytest.raises(SettingError, match="nr_samples"):
        QuantusMetric("MaxSensitivity", {"samples": 3})
    with pytest.raises(UnsupportedError, match="fails"):
        QuantusMetric("FaithfulnessCorrelation", {"subset_size": 999}).measure(attribution(recurrent(), X))
    of_labels = attribution(recurrent(), X)
    function = Attribution(of_labels.attribution, source=Query(of_labels.query.model, X, lambda logits: logits[:, 0]))
    with pytest.raises(UnsupportedError, match="function"):
        QuantusMetric("Sparseness").measure(function)


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("kind", ["probabilities", "logits", "probability", "logit"])
def test_quantus_gets_probabilities_of_each_class_once(kind, softmax):
    outputs = 1 if kind in ("logit", "probability") else 3
    activation = {"probabilities": nn.Softmax(1), "probability": nn.Sigmoid()}.get(kind, nn.Identity())
    model = perdure.Adapted(nn.Sequential(nn.Flatten(), nn.Linear(24, outputs), activation), outputs=kind)
    query = slice_query(Query(model, X, Logit(LABEL)), slice(0, 1))
    result = _ImageModel(model, query, softmax=softmax)(query.x[:, None])
    raw = model.model(query.x)
    expected = torch.cat([1 - raw, raw], 1) if kind == "probability" else raw
    if kind == "logit":
        expected = torch.cat([-raw, raw], 1) / 2
    if softmax and kind in ("logits", "logit"):
        expected = expected.softmax(1)
    torch.testing.assert_close(result, expected)
