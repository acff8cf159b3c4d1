"""The methods that come through the adapter to Captum, on models whose explanations are known."""

import operator

import captum.attr
import pytest
import torch
from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution._captum.rescale_rule import RESCALED
from perdure.attribution.deep_lift_shap import DeepLIFTSHAP
from perdure.attribution.grad_cam import GradCAM
from perdure.attribution.gradient_shap import GradientSHAP
from perdure.attribution.kernel_shap import KernelSHAP
from perdure.attribution.lime import LIME
from perdure.core.errors import (
    CompletenessWarning,
    IndependentOutputError,
    SettingError,
    ShapeError,
    UnknownNameError,
    UnsupportedError,
)
from perdure.ops.segment import divide_evenly, number_groups
from tests.cases import Constant, Linear, Opaque, convolutional, fill, make_rectified, perceptron, recurrent, stream

LABEL = torch.tensor([0, 1, 1, 0])
ONLY = operator.itemgetter((slice(None), 0))
"""The one output of a model as a function target."""
SERIES = torch.randn(4, 6, 3, generator=stream(), dtype=torch.float64)
IMAGES = torch.randn(4, 2, 6, 5, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([6, 4, 1, 2])
BACKGROUND = torch.randn(7, 6, 3, generator=stream(9), dtype=torch.float64)
SINGLE = 1e-5  # Captum adds up and fits in single precision
ADDITIVE = [
    ("gradient_shap", 1e-12),
    ("deep_lift", 1e-12),
    ("deep_lift_shap:noise=0", 1e-12),
    ("lime:penalty=0,granularity=element", SINGLE),
    ("kernel_shap:granularity=element,samples=50", SINGLE),
    ("shapley_sampling:granularity=element,samples=2", SINGLE),
]


class Residual(nn.Module):
    """A ReLU whose input also goes round it: the logit is the sum of x + relu(x)."""

    def __init__(self):
        super().__init__()
        self.linear, self.relu = nn.Linear(3, 3, bias=False), nn.ReLU()

    def forward(self, x):
        z = self.linear(x)
        return (z + self.relu(z)).sum(1, keepdim=True)


class Functional(nn.Module):
    """A ReLU that no hook can see."""

    def forward(self, x):
        return torch.relu(x - 0.5).flatten(1)


class Counts(nn.Module):
    """One logit per position: how the number of valid steps and the first feature multiply."""

    def forward(self, x, lengths):
        valid = torch.arange(x.shape[1]) < lengths[:, None]
        return (x[..., 0] * valid).sum(1, keepdim=True) * lengths[:, None]


@pytest.mark.parametrize(("name", "tolerance"), ADDITIVE)
def test_on_a_linear_model_each_site_gets_what_it_adds(name, tolerance):
    model = Linear(6, 3)
    result = attribute(model, SERIES, name, target=LABEL).values
    torch.testing.assert_close(result, SERIES * model.weight[LABEL].detach(), atol=tolerance, rtol=0)


@pytest.mark.parametrize("method", [GradientSHAP(BACKGROUND, samples=400), DeepLIFTSHAP(BACKGROUND)])
def test_a_background_is_what_a_linear_model_is_compared_with(method):
    model = Linear(6, 3)
    result = attribute(model, SERIES, method, target=LABEL).values
    expected = (SERIES - BACKGROUND.mean(0)) * model.weight[LABEL].detach()
    loose = 0.5 if isinstance(method, GradientSHAP) else 1e-12  # 400 draws of 7: a standard error of about 0.05 |w|
    torch.testing.assert_close(result, expected, atol=loose, rtol=0)


@pytest.mark.parametrize("name", ["kernel_shap:samples=40", "shapley_sampling:samples=5"])
@pytest.mark.parametrize("settings", ["", ",window=2", ",granularity=element"])
def test_shapley_values_share_out_the_change_of_the_target(name, settings):
    model = recurrent(features=3, pooling="mean").double()
    result = attribute(model, SERIES, name + settings, target=LABEL, lengths=LENGTHS).values
    empty = model(torch.zeros_like(SERIES), lengths=LENGTHS)
    change = (model(SERIES, lengths=LENGTHS) - empty).detach().gather(1, LABEL[:, None])[:, 0]
    torch.testing.assert_close(result.sum((1, 2)), change, atol=1e-4, rtol=0)  # Captum's precision


@pytest.mark.parametrize("name", ["kernel_shap:samples=20", "shapley_sampling:samples=3", "lime:penalty=0"])
def test_padding_is_no_group(name):
    x = SERIES[..., :1]
    result = attribute(Counts(), x, name, target=ONLY, lengths=LENGTHS).values[..., 0]
    valid = torch.arange(6) < LENGTHS[:, None]
    torch.testing.assert_close(result, x[..., 0] * valid * LENGTHS[:, None], atol=2e-5, rtol=0)


def test_the_shapley_methods_find_the_same_values():
    model = perceptron().double()
    x = torch.randn(2, 5, generator=stream(), dtype=torch.float64)
    exact = captum.attr.ShapleyValues(model).attribute(x, target=LABEL[:2])
    for name in ("kernel_shap:samples=500", "shapley_sampling:samples=200"):
        result = attribute(model, x, name, target=LABEL[:2]).values.float()
        torch.testing.assert_close(result, exact, atol=0.05, rtol=0)  # the spread of the draws


def test_groups_are_numbered_without_gaps():
    assert number_groups(torch.zeros(1, 2, 4, 5), 2, "position").unique().tolist() == list(range(2 * 3))
    assert number_groups(torch.zeros(1, 2, 4, 5), 2, "element").unique().tolist() == list(range(2 * 2 * 3))
    assert number_groups(torch.zeros(1, 3, 64, 40), None, "position").unique().tolist() == list(range(8 * 5))
    assert number_groups(torch.zeros(1, 3), None, "position").tolist() == [[0, 1, 2]]
    groups = number_groups(torch.zeros(1, 5, 2), 2, "position")
    assert divide_evenly(groups * 1.0, groups).sum() == 0 + 1 + 2


def test_lime_with_a_large_penalty_finds_nothing():
    result = attribute(Linear(6, 3), SERIES, LIME(penalty=1e3), target=LABEL)
    assert not result.values.any()


def test_captum_agrees_on_guided_backpropagation():
    model = make_rectified().double()
    with pytest.warns(UserWarning, match="hooks"):
        expected = captum.attr.GuidedBackprop(model).attribute(IMAGES.clone().requires_grad_(), target=LABEL)
    assert torch.equal(attribute(model, IMAGES, "guided_backprop", target=LABEL).values, expected)


def test_only_the_way_through_a_relu_is_guided():
    model = fill(Residual()).double()
    x = torch.randn(4, 3, generator=stream(), dtype=torch.float64)
    result = attribute(model, x, "guided_backprop", target=lambda logits: -logits[:, 0]).values
    torch.testing.assert_close(result, -model.linear.weight.sum(0).detach().expand(4, 3))


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("layer", ["0", "3"])
def test_captum_agrees_on_grad_cam(relu, layer):
    model = make_rectified().double()
    explainer = captum.attr.LayerGradCam(model, dict(model.named_modules())[layer])
    expected = explainer.attribute(IMAGES, target=LABEL, relu_attributions=relu).detach()
    expected = captum.attr.LayerAttribution.interpolate(expected, (6, 5), "bilinear").expand_as(IMAGES)
    result = attribute(model, IMAGES, GradCAM(layer, relu), target=LABEL).values
    torch.testing.assert_close(result, expected)
    if layer == "3":
        assert torch.equal(attribute(model, IMAGES, GradCAM(None, relu), target=LABEL).values, result)
        guided = attribute(model, IMAGES, "guided_backprop", target=LABEL).values
        both = attribute(model, IMAGES, "guided_grad_cam", target=LABEL).values
        assert not relu or torch.equal(both, guided * result)


def test_grad_cam_of_a_pointwise_convolution_over_time_is_known():
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv1d(3, 1, 1, bias=False).double()

        def forward(self, x):
            return self.layer(x.transpose(1, 2)).sum(2)

    model = Steps()
    result = attribute(model, SERIES, GradCAM(relu=False), target=ONLY).values
    steps = (SERIES * model.layer.weight[0, :, 0].detach()).sum(2, keepdim=True)
    torch.testing.assert_close(result, steps.expand_as(SERIES))


def test_a_rectifier_in_place_changes_nothing():
    plain = make_rectified().double()
    in_place = make_rectified().double()
    in_place[1], in_place[4] = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
    for method in ("guided_backprop", "grad_cam", GradCAM("0"), "deep_lift"):
        expected = attribute(plain, IMAGES, method, target=LABEL).values
        torch.testing.assert_close(attribute(in_place, IMAGES, method, target=LABEL).values, expected)


@pytest.mark.parametrize("make", [convolutional, make_rectified])
@pytest.mark.parametrize("name", ["deep_lift", "deep_lift:baseline=mean", "deep_lift_shap"])
def test_deep_lift_is_complete_also_where_captum_alone_is_not(make, name):
    """Captum takes the wrong gradient for a ReLU before max pooling, unless the baseline is constant."""
    model = make().double()
    assert attribute(model, IMAGES, name, target=LABEL).values.any()  # and no CompletenessWarning


def test_deep_lift_on_one_rectifier_is_the_rescale_rule():
    model = nn.Sequential(nn.Linear(3, 1), nn.ReLU()).double()
    fill(model)
    x = torch.randn(4, 3, generator=stream(), dtype=torch.float64)
    change = (model(x) - model(torch.zeros_like(x))).detach()
    before = (x @ model[0].weight.T).detach()
    result = attribute(model, x, "deep_lift", target=ONLY).values
    torch.testing.assert_close(result, x * model[0].weight.detach() * change / before)


def test_all_rules_of_captum_are_known():
    assert set(RESCALED) == set(SUPPORTED_NON_LINEAR)


@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap"])
def test_what_deep_lift_misses_is_reported(name):
    with pytest.warns(CompletenessWarning, match="misses"):
        attribute(Functional(), SERIES + 1, name, target=LABEL)


@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap"])
@pytest.mark.parametrize("make", [lambda: recurrent(features=3), lambda: Opaque("GRU", 3), lambda: Cells()])
def test_deep_lift_rejects_recurrences(name, make):
    with pytest.raises(UnsupportedError, match="no rule for recurrences"):
        attribute(make().double(), SERIES, name, target=LABEL)


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 2)

    def forward(self, x):
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state[0]


@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap"])
def test_deep_lift_rejects_an_activation_that_is_used_twice_and_leaves_nothing_behind(name):
    act = nn.Tanh()
    model = fill(nn.Sequential(nn.Flatten(), nn.Linear(18, 4), act, nn.Linear(4, 2), act)).double()
    before = set(vars(act))
    with pytest.raises(UnsupportedError, match="more than once"):
        attribute(model, SERIES, name, target=LABEL)
    assert set(vars(act)) == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap", "grad_cam", "guided_backprop", "guided_grad_cam"])
def test_methods_that_hook_layers_reject_functions(name):
    with pytest.raises(UnsupportedError, match="layers"):
        attribute(lambda x: x.flatten(1), SERIES, name, target=LABEL)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("guided_backprop", UnsupportedError),
        ("grad_cam:layer=convolution", UnknownNameError),
        ("grad_cam:layer='5'", UnsupportedError),
        ("guided_grad_cam", UnsupportedError),
    ],
)
def test_models_that_do_not_fit(name, error):
    with pytest.raises(error):
        attribute(convolutional().double(), IMAGES, name, target=LABEL)


@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize("name", ["gradient_shap", "deep_lift", "lime:samples=9", "kernel_shap:samples=9"])
def test_a_constant_model_is_a_named_error(name, detached):
    with pytest.raises(IndependentOutputError):
        attribute(Constant(detached), SERIES, name, target=LABEL)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: GradientSHAP(samples=0), "samples"),
        (lambda: GradientSHAP(noise=-1.0), "noise"),
        (lambda: DeepLIFTSHAP(references=1), "references"),
        (lambda: LIME(kernel_width=0.0), "kernel_width"),
        (lambda: LIME(window=-1), "window"),
        (lambda: KernelSHAP(baseline="blue"), "baseline"),
    ],
)
def test_settings_that_cannot_be_used(make, match):
    with pytest.raises(SettingError, match=match):
        make()


def test_too_few_samples_for_the_groups():
    with pytest.raises(SettingError, match="18 groups"):
        attribute(Linear(6, 3), SERIES, KernelSHAP(19, granularity="element"), target=LABEL)


@pytest.mark.parametrize("method", [GradientSHAP(BACKGROUND[:, :5]), DeepLIFTSHAP(BACKGROUND[:1])])
def test_a_background_that_does_not_fit(method):
    with pytest.raises(ShapeError, match="background"):
        attribute(Linear(6, 3), SERIES, method, target=LABEL)
