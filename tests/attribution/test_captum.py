"""Any explainer of Captum as a method: its own numbers, the guarantees of perdure, and rejections."""

import captum.attr
import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.captum import Captum
from perdure.core.errors import SettingError, UnknownNameError, UnsupportedError
from perdure.core.query import Query
from perdure.core.random import seed_libraries, sub_seeds
from tests.cases import fill, make_rectified, perceptron, recurrent, stream

LABEL = torch.tensor([0, 1, 2])
X = torch.randn(3, 6, 3, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([6, 2, 4])
IMAGES = torch.randn(3, 2, 6, 5, generator=stream(), dtype=torch.float64)
TARGET = 1e-6
WINDOW = {"sliding_window_shapes": [1, 3]}
ANY_MODEL = [
    Captum("FeatureAblation"),
    Captum("GradientShap", {"n_samples": 3}),
    Captum("InputXGradient"),
    Captum("IntegratedGradients", {"n_steps": 9, "method": "riemann_trapezoid"}),
    Captum("KernelShap", {"n_samples": 30}),
    Captum("Lime", {"n_samples": 30}),
    Captum("Occlusion", WINDOW),
    Captum("Saliency", {"abs": False}),
    Captum("ShapleyValueSampling", {"n_samples": 2}),
]
HOOKED = [Captum("DeepLift"), Captum("Deconvolution"), Captum("GuidedBackprop")]
ids = [method.explainer for method in ANY_MODEL]


def model():
    return recurrent(features=3, pooling="mean").double()


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (Captum("IntegratedGradients"), lambda m: captum.attr.IntegratedGradients(m).attribute(X, target=LABEL)),
        (
            Captum(settings={"n_steps": 7}),
            lambda m: captum.attr.IntegratedGradients(m).attribute(X, None, LABEL, n_steps=7),
        ),
        (Captum("Occlusion", WINDOW), lambda m: captum.attr.Occlusion(m).attribute(X, (1, 3), target=LABEL)),
        (
            Captum(settings={"multiply_by_inputs": False}, baseline="mean"),
            lambda m: captum.attr.IntegratedGradients(m, False).attribute(
                X, X.mean(1, keepdim=True).expand_as(X), target=LABEL
            ),
        ),
    ],
    ids=["default", "steps", "occlusion", "settings of both"],
)
def test_the_numbers_are_those_of_captum(method, expected):
    explained = model()
    result = attribute(explained, X, method, target=LABEL).values
    torch.testing.assert_close(result, expected(explained).to(result), atol=TARGET, rtol=0)


def test_gradient_shap_is_that_of_captum_on_the_stream_of_each_sample():
    explained, background = model(), X.flip(0)
    result = attribute(explained, X, Captum("GradientShap", {"n_samples": 6}, background), target=LABEL).values
    query = Query(explained, X, lambda logits: logits[:, 0])
    expected = torch.zeros_like(X)
    seeds = sub_seeds(torch.Generator().manual_seed(0), 3)
    for i in range(3):
        with seed_libraries(int(seeds[i]), query.x.device):
            explainer = captum.attr.GradientShap(explained)
            expected[i] = explainer.attribute(X[i : i + 1], background, n_samples=6, target=int(LABEL[i]))[0]
    torch.testing.assert_close(result, expected, atol=TARGET, rtol=0)


@pytest.mark.parametrize("method", ANY_MODEL, ids=ids)
def test_batch_mates_and_padding_do_not_matter_and_a_seed_gives_one_map(method):
    explained = model()
    result = attribute(explained, X, method, target=LABEL, lengths=LENGTHS).values
    assert not result[torch.arange(6) >= LENGTHS[:, None]].any()
    mates = torch.cat([X[:1], 3 * X[:2]])
    other = attribute(explained, mates, method, target=LABEL[[0, 0, 1]], lengths=LENGTHS, batch_size=2).values
    torch.testing.assert_close(other[0], result[0])
    more = attribute(explained, torch.cat([X, X + 1], 1), method, target=LABEL, lengths=LENGTHS).values
    torch.testing.assert_close(more[:, :6], result)


@pytest.mark.parametrize("method", [*HOOKED, Captum("DeepLiftShap", background=IMAGES + 1)])
def test_explainers_that_hook_layers_leave_the_model_as_it_was(method):
    explained = make_rectified().double().train()
    before = {name: set(vars(module)) for name, module in explained.named_modules()}
    assert attribute(explained, IMAGES, method, target=LABEL).values.any()
    assert before == {name: set(vars(module)) for name, module in explained.named_modules()}
    assert explained.training


def test_relevance_is_that_of_captum_and_leaves_nothing_behind():
    plain = fill(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))).double()
    x = torch.randn(3, 5, generator=stream(), dtype=torch.float64)
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    result = attribute(plain, x, Captum("LRP"), target=LABEL).values
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())
    assert not any(hasattr(module, "rule") for module in plain)
    expected = captum.attr.LRP(plain).attribute(x.clone().requires_grad_(), target=LABEL)
    torch.testing.assert_close(result, expected.detach(), atol=TARGET, rtol=0)


@pytest.mark.parametrize("explainer", ["DeepLift", "LRP"])
def test_recurrences_are_refused_where_captum_is_wrong(explainer):
    with pytest.raises(UnsupportedError, match="no rule for recurrences"):
        attribute(model(), X, f"captum:explainer={explainer}", target=LABEL)


def test_what_captum_rejects_is_a_named_error_that_leaves_no_rules():
    explained = make_rectified().double()
    with pytest.raises(UnsupportedError, match="LRP fails"):
        attribute(explained, IMAGES, Captum("LRP"), target=LABEL)
    assert not any(hasattr(module, "rule") for module in explained)
    with pytest.raises(UnsupportedError, match="plain gradient"):
        attribute(perceptron().double(), X[:, 0, [0, 1, 2, 0, 1]], Captum("GuidedBackprop"), target=LABEL)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Captum("IntegratedGradient"), UnknownNameError, "IntegratedGradients"),
        (lambda: Captum("FeaturePermutation"), UnknownNameError, "no explainer"),
        (lambda: Captum("NoiseTunnel"), UnknownNameError, "smooth_grad"),
        (lambda: Captum("LayerGradCam"), UnknownNameError, "grad_cam"),
        (lambda: Captum(settings={"steps": 5}), SettingError, "n_steps"),
        (lambda: Captum(settings={"target": 5}), SettingError, "determined by the query"),
        (lambda: Captum("Saliency", baseline="mean"), SettingError, "no baseline"),
        (lambda: Captum("Saliency", background=X), SettingError, "background"),
        (
            lambda: Captum("DeepLiftShap"),
            SettingError,
            "background",
        ),
    ],
)
def test_bad_settings_are_named_errors(make, error, match):
    with pytest.raises(error, match=match):
        make()
