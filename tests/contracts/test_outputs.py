"""What every method and metric of the registry must keep to, whatever kind of outputs a model returns."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import perdure
from perdure.core.batch import Batch
from perdure.core.errors import LabelError, PerdureError, UnsupportedError
from perdure.core.method import NeedsFit
from perdure.core.registry import METHODS, METRICS
from perdure.core.target import LogOdds, LogProbability, Margin, Probability
from tests.cases import fill, stream
from tests.contracts.test_methods import QUICK, SERIES_ONLY

X = torch.randn(3, 2, 6, 5, generator=stream(), dtype=torch.float64)
TRUTH = torch.randn(X.shape, generator=stream(1)) > 0.5

TWINS = {
    "probabilities": ("logits", nn.Softmax(1), 3),
    "probability": ("logit", nn.Sigmoid(), 1),
    "independent_probabilities": ("independent_logits", nn.Sigmoid(), 3),
}
"""The kind of outputs with an activation, that without it, the activation and the number of outputs."""

EXCUSED = {
    "attention_rollout": "as attention",
    "attention": "a module wrapped in another has no attention",
    "deep_lift": "the rescale rule of DeepLIFT replaces the slope of an activation inside the model",
    "deep_lift_shap": "as deep_lift",
    **dict.fromkeys(SERIES_ONLY, "explains series: see test_series"),
}
"""Methods for which a model with an activation is another model, with the reason."""

METHOD_NAMES = [name for name in METHODS.names() if name not in EXCUSED]


def network(outputs, *last):
    layers = (nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, outputs))
    return nn.Sequential(*fill(nn.Sequential(*layers)), *last).double()


def declare(kind):
    """Make a model that returns outputs of this kind; twins have the same weights."""
    activations = {twin: (activation, outputs) for twin, (_, activation, outputs) in TWINS.items()}
    if kind in activations:
        activation, outputs = activations[kind]
        return perdure.Adapted(network(outputs, activation), outputs=kind)
    return perdure.Adapted(network(1 if kind == "logit" else 3), outputs=kind)


def labels(kind):
    return torch.tensor([0, 1, 1]) if kind in ("logit", "probability") else torch.tensor([0, 2, 1])


def explain(name, model, target):
    method = METHODS.make(QUICK.get(name, name))
    if isinstance(method, NeedsFit):
        method = method.fit(model, Batch(X.flip(0), torch.zeros(3, dtype=torch.int64)))
    return perdure.attribute(model, X, method, target=target, generator=stream(3))


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_map_of_a_probability_is_that_of_the_logits_behind_it(name, kind):
    target = Probability(labels(kind))
    with_activation = explain(name, declare(kind), target).values
    without = explain(name, declare(TWINS[kind][0]), target).values
    torch.testing.assert_close(with_activation, without, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_map_of_numbers_is_that_of_the_output_as_a_function(name):
    model = declare("numbers")
    expected = explain(name, model, lambda outputs: outputs[:, 2]).values
    torch.testing.assert_close(explain(name, model, 2).values, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("target", [Probability, LogProbability, LogOdds, Margin])
@pytest.mark.parametrize("name", METHOD_NAMES)
def test_numbers_have_no_probability_and_no_predicted_class(name, target):
    model = declare("numbers")
    with pytest.raises(UnsupportedError, match="numbers"):
        explain(name, model, target(labels("numbers")))
    with pytest.raises(LabelError, match="predict no class"):
        explain(name, model, "predicted")


def score(name, kind, target):
    attribution = explain("gradient", declare(kind), target(labels(kind)))
    values = torch.randn(X.shape, generator=stream(7), dtype=torch.float64)
    return perdure.evaluate(replace(attribution, values=values, truth=TRUTH), name, draws=3)


@pytest.mark.parametrize("target", [Probability, LogOdds])
@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize("name", METRICS.names())
def test_a_score_of_a_model_with_an_activation_is_that_of_the_logits_behind_it(name, kind, target):
    try:
        without = score(name, TWINS[kind][0], target)
    except PerdureError as error:
        with pytest.raises(type(error)):
            score(name, kind, target)
        return
    with_activation = score(name, kind, target)
    for field in ("values", "null", "ceiling"):
        torch.testing.assert_close(getattr(with_activation, field), getattr(without, field), rtol=1e-6, atol=1e-9)
