"""Layers that write to their inputs: every method explains a network with them as it explains the same one without."""

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.method import NeedsFit
from perdure.core.registry import METHODS, METRICS
from perdure.metrics._evaluate import evaluate
from tests.cases import fill, stream
from tests.contracts.test_methods import SERIES_ONLY

X = torch.randn(3, 2, 8, 8, generator=stream(), dtype=torch.float64)
SEEN = Batch(torch.randn(9, 2, 8, 8, generator=stream(5), dtype=torch.float64), torch.arange(9) % 2)
LABEL = torch.tensor([0, 1, 1])


def make_rectified(inplace):
    """Convolutions, each before a rectifier, and dropout, as in VGG."""
    first = (nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(inplace), nn.MaxPool2d(2))
    second = (nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace), nn.Flatten(), nn.Dropout(0.5, inplace))
    return fill(nn.Sequential(*first, *second, nn.Linear(64, 2))).double()


class Residual(nn.Module):
    """A block as in ResNet: normalisation before the rectifiers, and a sum that is written to its first term."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace = inplace
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.again = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.relu, self.last, self.head = nn.ReLU(inplace), nn.ReLU(inplace), nn.Linear(4, 2)

    def forward(self, x):
        skip = self.relu(self.norm(self.first(x)))
        z = self.again(self.second(skip))
        if self.inplace:
            z += skip
        else:
            z = z + skip
        return self.head(self.last(z).mean((2, 3)))


MODELS = {"rectified": make_rectified, "residual": lambda inplace: fill(Residual(inplace)).double()}
LAYERS = {"rectified": ("0", "3", "4"), "residual": ("first", "norm", "again", "second", "relu")}
QUICK = {
    "deep_lift_shap": "deep_lift_shap:references=2",
    "extremal_perturbation": "extremal_perturbation:steps=2,areas=[0.2, 0.5]",
    "gradient_shap": "gradient_shap:samples=3",
    "kernel_shap": "kernel_shap:samples=8,window=4",
    "lime": "lime:samples=8,window=3",
    "shapley_sampling": "shapley_sampling:samples=2,window=3",
    "smooth_grad": "smooth_grad:samples=2",
}
PRIORS = ("none", "moments", "adversarial")
METHOD_NAMES = [
    *(
        QUICK.get(name, name)
        for name in METHODS.names()
        if name not in ("attention", "attention_rollout", "information_bottleneck", *SERIES_ONLY)
    ),
    "information_bottleneck:steps=2,copies=2",
    *(f"input_iba:steps=2,copies=2,prior={prior}" for prior in PRIORS),
]


def explain(method, model):
    made = METHODS.make(method)
    fitted = made.fit(model, SEEN) if isinstance(made, NeedsFit) else made
    return attribute(model, X, fitted, target=LABEL)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_method_gives_the_map_of_the_network_without(name, method):
    seen, x = SEEN.inputs.clone(), X.clone()
    torch.testing.assert_close(explain(method, MODELS[name](True)).values, explain(method, MODELS[name](False)).values)
    assert torch.equal(SEEN.inputs, seen)
    assert torch.equal(X, x)


@pytest.mark.filterwarnings("ignore::perdure.core.errors.BypassWarning")  # of convolutions in residual blocks
@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name, layers in LAYERS.items() for layer in layers])
@pytest.mark.parametrize(
    "method", ["information_bottleneck:steps=2,copies=2", "input_iba:prior=moments,steps=2,copies=2", "grad_cam"]
)
def test_any_layer_can_be_replaced(name, layer, method):
    joined = f"{method}{',' if ':' in method else ':'}layer={layer}"
    result = explain(joined, MODELS[name](True)).values
    torch.testing.assert_close(result, explain(joined, MODELS[name](False)).values)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("metric", [name for name in METRICS.names() if not METRICS.load(name).needs_truth])
def test_a_metric_gives_the_value_of_the_network_without(name, metric):
    if metric == "vanishing":
        pytest.skip("vanishing reads series")
    metric = "degradation:window=2" if metric == "degradation" else metric
    plain, inplace = (evaluate(explain("gradient", MODELS[name](flag)), metric).values for flag in (False, True))
    torch.testing.assert_close(inplace, plain)
