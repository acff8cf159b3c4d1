"""What every attribution method of the registry must keep to."""

import dataclasses
import pickle
import random
from collections.abc import Callable
from importlib import resources

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.core.method import NeedsFit
from perdure.core.registry import METHODS
from perdure.core.spec import name_of
from tests.cases import Transformer, convolutional, fill, make_rectified, perceptron, recurrent, stream


@dataclasses.dataclass(frozen=True)
class Case:
    make: Callable[[], nn.Module]
    x: Tensor
    lengths: Tensor | None = None

    @property
    def label(self) -> Tensor:
        return torch.arange(len(self.x)) % 3


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=stream(), dtype=torch.float64)


LENGTHS = torch.tensor([7, 2, 5, 1, 6])
CASES = {
    "table": Case(perceptron, draw(5, 5)),
    "series": Case(recurrent, draw(5, 7, 4)),
    "padded": Case(lambda: recurrent(pooling="mean", cell="gru"), draw(5, 7, 4), LENGTHS),
    "attends": Case(lambda: recurrent(pooling="self_attention", bidirectional=True), draw(5, 7, 4), LENGTHS),
    "image": Case(convolutional, draw(5, 2, 6, 5)),
    "rectified": Case(make_rectified, draw(5, 2, 6, 5)),
    "transformer": Case(lambda: fill(Transformer()), draw(5, 7, 4), LENGTHS),
}
SERIES_ONLY = (
    "dynamask",
    "fit",
    "temporal_integrated_gradients",
    "temporal_saliency_rescaling",
    "time_shap",
    "timing",
    "winit",
)
"""Methods that explain series only; `test_series` has for them what other tests show on images."""

SUPPORTED = {
    **dict.fromkeys(SERIES_ONLY, ("series", "padded", "attends")),
    "attention": ("attends",),
    "attention_rollout": ("transformer",),
    "deep_lift": ("table", "image", "rectified"),
    "deep_lift_shap": ("table", "image", "rectified"),
    "extremal_perturbation": ("series", "padded", "attends", "image", "rectified"),
    "grad_cam": ("image", "rectified"),
    "guided_backprop": ("rectified",),
    "guided_grad_cam": ("rectified",),
    "information_bottleneck": ("series", "padded", "attends", "image", "rectified"),
}
"""The cases of methods that cannot explain all of them."""

QUICK = {
    "dynamask": "dynamask:steps=3,areas=[0.2, 0.5]",
    "deep_lift_shap": "deep_lift_shap:references=2",
    "extremal_perturbation": "extremal_perturbation:steps=2,areas=[0.2, 0.5]",
    "gradient_shap": "gradient_shap:samples=3,noise=0.1",
    "information_bottleneck": "information_bottleneck:steps=2,copies=2",
    "input_iba": "input_iba:steps=2,copies=2",
    "kernel_shap": "kernel_shap:samples=8,window=3",
    "lime": "lime:samples=8,window=3",
    "shapley_sampling": "shapley_sampling:samples=2,window=3",
    "temporal_integrated_gradients": "temporal_integrated_gradients:steps=4",
    "time_shap": "time_shap:samples=4,estimator=sampling,groups=feature",
    "timing": "timing:steps=6",
    "winit": "winit:window=2",
}
"""Settings of methods that take their time."""

EXTRA = ("rectified", "transformer")
"""Cases of methods that read layers, of which others need no test."""

UNSUPPORTED = [
    (name, case) for name, cases in SUPPORTED.items() for case in CASES if case not in (*cases, "transformer")
]
NAMES = METHODS.names()
ORDINARY = [case for case in CASES if case not in EXTRA]
PAIRS = [(name, case) for name in NAMES for case in SUPPORTED.get(name, ORDINARY)]

for_all = pytest.mark.parametrize("name", NAMES)
for_all_cases = pytest.mark.parametrize(("name", "case"), PAIRS)


def explain(name: str, case: Case, model: nn.Module | None = None, seed: int = 3, **settings) -> Tensor:
    model = case.make().double() if model is None else model
    arguments = {"target": case.label, "lengths": case.lengths, "generator": stream(seed), **settings}
    return attribute(model, case.x, make_case(name, model, case), **arguments).values


def make_case(name: str, model: nn.Module, case: Case):
    """Make a method, and let it see samples when it must: others than those that are explained."""
    method = METHODS.make(QUICK.get(name, name))
    if not isinstance(method, NeedsFit):
        return method
    shape = (7, 4) if case.x.ndim == 3 else case.x.shape[1:]
    x = torch.randn(9, *shape, generator=stream(5)).to(next(model.parameters()).dtype)
    return method.fit(model, Batch(x, torch.zeros(9, dtype=torch.int64)))


@for_all
def test_it_is_a_frozen_bag_of_settings_that_travels(name):
    method = METHODS.make(name)
    assert name_of(method) == name
    assert pickle.loads(pickle.dumps(method)) == method
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.any_setting = 2


@for_all
def test_its_paper_is_in_the_references(name):
    entry = METHODS.entry(name)
    assert f"{{{entry.reference}," in (resources.files("perdure") / "references.bib").read_text()
    assert entry.summary.endswith(".")


@pytest.mark.parametrize(("name", "case"), UNSUPPORTED)
def test_a_model_it_cannot_explain_is_a_named_error(name, case):
    with pytest.raises(UnsupportedError):
        explain(name, CASES[case])


@for_all_cases
def test_inputs_model_and_random_state_stay_as_they_were(name, case):
    case = CASES[case]
    model = case.make().double().train()
    next(model.children()).eval()
    frozen, trained = list(model.parameters())[:2]
    frozen.requires_grad_(False)
    trained.grad = torch.ones_like(trained)
    before = _everything(model, case)
    explain(name, case, model)
    torch.testing.assert_close(_everything(model, case), before, rtol=0, atol=0)
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())


def _everything(model, case):
    return {
        "inputs": [case.x.clone(), case.label, 0 if case.lengths is None else case.lengths.clone()],
        "state": {key: value.clone() for key, value in model.state_dict().items()},
        "flags": [weight.requires_grad for weight in model.parameters()],
        "gradients": [0 if weight.grad is None else weight.grad.clone() for weight in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "torch": torch.get_rng_state(),
        "numpy": [int(part) for part in np.random.get_state()[1]],
        "python": list(random.getstate()[1]),
    }


@for_all_cases
def test_a_model_in_training_mode_is_explained_as_in_evaluation(name, case):
    case = CASES[case]
    assert torch.equal(explain(name, case, case.make().double().train()), explain(name, case))


@for_all_cases
def test_a_seed_gives_one_map(name, case):
    assert torch.equal(explain(name, CASES[case]), explain(name, CASES[case]))


@for_all_cases
def test_batch_size_and_batch_mates_do_not_matter(name, case):
    case = CASES[case]
    whole = explain(name, case)
    for size in (2, 3) if name in ("deep_lift", "deep_lift_shap") else (1, 3):
        torch.testing.assert_close(explain(name, case, batch_size=size), whole)
    mates = case.x.clone()
    mates[1:] = mates[1:].flip(0) * 3
    torch.testing.assert_close(explain(name, dataclasses.replace(case, x=mates))[:1], whole[:1])
    few = dataclasses.replace(case, x=case.x[:2], lengths=None if case.lengths is None else case.lengths[:2])
    torch.testing.assert_close(explain(name, few), whole[:2])


@pytest.mark.parametrize(("name", "case"), [pair for pair in PAIRS if CASES[pair[1]].lengths is not None])
@pytest.mark.parametrize("fill", [0.0, -50.0])
def test_padding_gets_exactly_zero_and_more_of_it_changes_nothing(name, case, fill):
    case = CASES[case]
    valid = torch.arange(7) < case.lengths[:, None]
    short = explain(name, case)
    assert not short[~valid].any()
    assert (short[valid] != 0).any()
    longer = torch.cat([case.x.masked_fill(~valid[..., None], fill), torch.full((5, 6, 4), fill)], dim=1)
    long = explain(name, dataclasses.replace(case, x=longer.double()))
    torch.testing.assert_close(long[:, :7], short)
    assert not long[:, 7:].any()


@for_all_cases
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_stays_and_values_are_finite(name, case, dtype):
    case = CASES[case]
    for scale in (0.0, 1e-3, 30.0):
        scaled = dataclasses.replace(case, x=(case.x * scale).to(dtype))
        result = explain(name, scaled, case.make().to(dtype))
        assert result.dtype == dtype
        assert result.shape == case.x.shape
        assert result.isfinite().all()


@pytest.mark.parametrize(
    ("name", "forward", "backward"),
    [
        ("attention", 1, 0),
        ("attention_rollout", 1, 0),
        ("deep_lift", 2 + 2, 2),
        ("deep_lift_shap", 2 * 10 + 10 + 1, 2 * 10),
        ("extremal_perturbation", 4 * 100, 4 * 100),
        ("grad_cam", 1, 1),
        ("gradient", 1, 1),
        ("gradient_shap", 20, 20),
        ("guided_backprop", 1, 1),
        ("guided_grad_cam", 2, 2),
        ("input_x_gradient", 1, 1),
        ("integrated_gradients", 50, 50),
        ("kernel_shap", 500, 0),
        ("lime", 200, 0),
        ("occlusion", 1 + 7, 0),
        ("random", 0, 0),
        ("saliency", 1, 1),
        ("shapley_sampling", 1 + 25 * 7, 0),
        ("smooth_grad", 20, 20),
        ("feature_ablation", 1 + 7 * 4, 0),
        ("timing", 50 + 2, 50),
    ],
)
def test_the_passes_of_each_sample_are_as_documented(name, forward, backward):
    case = next(CASES[case] for case in ("attends", *EXTRA) if case in SUPPORTED.get(name, CASES))
    groups = name in ("kernel_shap", "shapley_sampling")  # of which there are as many in all samples
    lengths = None if groups or case.lengths is None else case.lengths[:2]
    result = attribute(case.make().double(), case.x[:2], name, target=case.label[:2], lengths=lengths)
    assert (result.provenance.forward, result.provenance.backward) == (2 * forward, 2 * backward)
