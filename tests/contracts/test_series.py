"""What methods for series must keep to, whatever a model returns, in any precision, with layers that write in place."""

import pytest
import torch
from torch import nn

import perdure
from perdure.core.registry import METHODS
from perdure.core.target import Probability
from tests.cases import fill, stream
from tests.contracts.test_methods import QUICK, SERIES_ONLY

X = torch.randn(3, 5, 4, generator=stream(), dtype=torch.float64)
LABEL = torch.tensor([0, 1, 1])
ACTIVATIONS = {"probabilities": ("logits", nn.Softmax(1), 3), "probability": ("logit", nn.Sigmoid(), 1)}

every = pytest.mark.parametrize("name", SERIES_ONLY)


class MeanOverTime(nn.Module):
    def forward(self, x):
        return x.mean(1)


def network(outputs=3, inplace=False, *last):
    layers = (nn.Linear(4, 6), nn.ReLU(inplace), MeanOverTime(), nn.Linear(6, 5), nn.ReLU(inplace))
    return nn.Sequential(*fill(nn.Sequential(*layers, nn.Linear(5, outputs))), *last).double()


def explain(name, model, x=X, target=LABEL):
    return perdure.attribute(model, x, METHODS.make(QUICK.get(name, name)), target=target, generator=stream(3)).values


@every
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_a_map_of_a_probability_is_that_of_the_logits_behind_it(name, kind):
    twin, activation, outputs = ACTIVATIONS[kind]
    models = [
        perdure.Adapted(network(outputs, False, activation), outputs=kind),
        perdure.Adapted(network(outputs), outputs=twin),
    ]
    maps = [explain(name, model, target=Probability(LABEL)) for model in models]
    torch.testing.assert_close(*maps, rtol=1e-6, atol=1e-9)


@every
def test_layers_that_write_in_place_change_nothing(name):
    torch.testing.assert_close(explain(name, network(inplace=True)), explain(name, network()))


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_dtype_of_the_model_is_that_of_the_map(name, dtype):
    result = explain(name, network().to(dtype), X.to(dtype))
    assert result.dtype == dtype
    assert result.isfinite().all()


@every
def test_autocast_reaches_the_model_alone(name):
    class Inside(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return self.model(x)

    expected = explain(name, Inside(network().float()), X.float())
    with torch.autocast("cpu", torch.bfloat16):
        result = explain(name, network().float(), X.float())
    torch.testing.assert_close(result, expected, atol=1e-3, rtol=1e-2)
