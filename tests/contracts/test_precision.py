"""Precision: models in half and double precision, under autocast, and with another default dtype."""

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.method import NeedsFit
from perdure.core.registry import METHODS, METRICS
from perdure.metrics._evaluate import evaluate
from tests.cases import convolutional, fill, make_rectified, stream
from tests.contracts.test_in_place import QUICK
from tests.contracts.test_methods import SERIES_ONLY

X = torch.randn(3, 2, 6, 5, generator=stream(), dtype=torch.float64)
SEEN = torch.randn(9, 2, 6, 5, generator=stream(5), dtype=torch.float64)
LABEL = torch.tensor([0, 1, 2])

SKIPPED = ("attention", "attention_rollout", "captum", "information_bottleneck", "input_iba", *SERIES_ONLY)
NAMES = [name for name in METHODS.names() if name not in SKIPPED]
EXPLAINERS = ("GradientShap", "IntegratedGradients", "KernelShap", "Lime", "ShapleyValueSampling", "FeatureAblation")
SEARCHES = [
    "information_bottleneck:steps=4,copies=2",
    *(f"input_iba:steps=4,copies=2,prior={prior}" for prior in ("noise", "none", "moments")),
]
METHOD_NAMES = [
    *(QUICK.get(name, name) for name in NAMES),
    "gradient_shap:samples=3,noise=0.1",
    *(f"captum:explainer={name}" for name in EXPLAINERS),
    *SEARCHES,
]
every = pytest.mark.parametrize("name", METHOD_NAMES)


class InsideAutocast(nn.Module):
    """A model that switches autocast on by itself."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.model(x)


def explain(name, model, x, seen=SEEN):
    method = METHODS.make(name)
    batch = Batch(seen.to(x.dtype), torch.zeros(9, dtype=torch.int64))
    method = method.fit(model, batch) if isinstance(method, NeedsFit) else method
    return attribute(model, x, method, target=LABEL, generator=stream(1)).values


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_dtype_of_the_model_is_that_of_the_map(name, dtype):
    result = explain(name, make_rectified().to(dtype), X.to(dtype))
    assert result.dtype == dtype
    assert result.isfinite().all()


@every
def test_another_default_dtype_changes_nothing(name):
    model = make_rectified()
    expected = explain(name, model, X.float())
    torch.set_default_dtype(torch.float64)
    try:
        result = explain(name, model, X.float())
    finally:
        torch.set_default_dtype(torch.float32)
    assert result.dtype == torch.float32
    assert result.isfinite().all()
    if "Shap" not in name and "Lime" not in name and name.split(":")[0] not in ("lime", "kernel_shap", "gradient_shap"):
        torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-3)  # Captum draws in the default dtype


@every
def test_autocast_reaches_the_model_alone(name):
    if name in ("deep_lift", "guided_backprop", "guided_grad_cam", "grad_cam") or name.startswith("deep_lift"):
        pytest.skip("Captum passes gradients through the layers under autocast")
    model = fill(convolutional()).eval()
    inside = InsideAutocast(model)
    expected = explain(name, inside, X.float())
    with torch.autocast("cpu", torch.bfloat16):
        result = explain(name, model, X.float())
    torch.testing.assert_close(result, expected, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_in_half_precision_loses_no_more_than_the_model(name):
    """The model in half precision is compared with the same function in single: the search adds nothing."""
    half = make_rectified().bfloat16()

    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = half

        def forward(self, x):
            return self.layers(x.bfloat16()).float()

    x = X.bfloat16()
    result = explain(name, half, x).float()
    expected = explain(name, Single(), x.float(), SEEN.bfloat16())
    torch.testing.assert_close(result, expected, atol=0.01, rtol=0.01)


@pytest.mark.parametrize("name", [name for name in METRICS.names() if not METRICS.load(name).needs_truth])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_metrics_take_models_of_any_precision(name, dtype):
    if name == "vanishing":
        pytest.skip("reads series")
    attribution = attribute(make_rectified().to(dtype), X.to(dtype), "gradient", target=LABEL)
    assert evaluate(attribution, f"{name}:window=2" if name == "degradation" else name).values.isfinite().all()
