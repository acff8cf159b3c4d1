"""What every method and metric with a baseline must keep to."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.errors import CompletenessWarning, NonFiniteError, SettingError
from perdure.core.registry import METHODS, METRICS
from perdure.core.spec import add_digests, format_spec
from perdure.metrics._evaluate import evaluate
from tests.cases import fill, stream

QUICK = {
    "dynamask": {"steps": 3},
    "captum": {"explainer": "FeatureAblation"},
    "deep_lift_shap": {"references": 2, "noise": 0.0},
    "extremal_perturbation": {"steps": 2, "areas": (0.2, 0.5)},
    "gradient_shap": {"samples": 3},
    "integrated_gradients": {"steps": 3},
    "kernel_shap": {"samples": 8, "window": 3},
    "lime": {"samples": 8, "window": 3},
    "sensitivity_n": {"masks": 20, "points": 3},
    "shapley_sampling": {"samples": 2, "window": 3},
    "temporal_integrated_gradients": {"steps": 3},
}


def fields_of(registry, name):
    return {field.name for field in dataclasses.fields(registry.load(name))}


DRAW = (
    "deep_lift_shap",
    "f_fidelity",
    "gradient_shap",
    "kernel_shap",
    "lime",
    "sensitivity_n",
    "shapley_sampling",
    "time_shap",
    "timing",
)
"""Methods and metrics that draw by the place of a sample in its call."""

KEEPS_SOMETHING = (
    "comprehensiveness",
    "cpd",
    "cpp",
    "extremal_perturbation",
    "f_fidelity",
    "gradient_shap",
    "integrated_gradients",
    "sensitivity_n",
    "sufficiency",
    "temporal_integrated_gradients",
    "temporal_saliency_rescaling",
    "timing",
)
"""Methods and metrics that never evaluate the baseline itself."""


METHOD_NAMES = [name for name in METHODS.names() if "baseline" in fields_of(METHODS, name)]
METRIC_NAMES = [name for name in METRICS.names() if "baseline" in fields_of(METRICS, name)]
EVERY = [(METHODS, name) for name in METHOD_NAMES] + [(METRICS, name) for name in METRIC_NAMES]
every = pytest.mark.parametrize(("registry", "name"), EVERY, ids=[name for _, name in EVERY])

UNITS = torch.tensor([20.0, 1013.0], dtype=torch.float64)
X = UNITS + torch.randn(5, 6, 2, generator=stream(), dtype=torch.float64)
OTHER = UNITS + torch.randn(5, 6, 2, generator=stream(1), dtype=torch.float64)
LENGTHS = torch.tensor([6, 3, 5, 2, 4])
LABEL = torch.arange(5) % 2


class Smooth(nn.Module):
    """Two logits of a series in degrees and hectopascal, far from linear, of modules that DeepLIFT has rules for."""

    def __init__(self):
        super().__init__()
        self.inner, self.act, self.head = nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)

    def forward(self, x, lengths=None):
        hidden = self.act(self.inner((x - UNITS.to(x)) / 3))
        if lengths is not None:
            hidden = hidden * (torch.arange(x.shape[1]) < lengths[:, None])[..., None]
        return self.head(hidden.sum(1))


MODEL = fill(Smooth()).double()


def make(registry, name, baseline):
    return registry.make(name, {**QUICK.get(name, {}), "baseline": baseline})


def result(registry, name, baseline, index=None, model=MODEL, **settings) -> Tensor:
    """Explain or evaluate some of the samples with a baseline."""
    index = torch.arange(5) if index is None else index
    lengths = LENGTHS[index]
    arguments = {"target": LABEL[index], "lengths": lengths, **settings}
    if registry is METHODS:
        return attribute(model, X[index], make(registry, name, baseline), generator=stream(3), **arguments).values
    attribution = attribute(model, X[index], "gradient", generator=stream(3), **arguments)
    return make(registry, name, baseline).measure(attribution).values


@every
def test_every_form_of_the_same_baseline_gives_the_same(registry, name, tmp_path):
    vector = [19.0, 1010.0]
    np.save(tmp_path / "unk_vec.npy", np.array(vector))
    whole = torch.tensor(vector, dtype=torch.float64).expand(5, 6, 2)
    batch = Batch(
        torch.tensor([[vector, vector, [0.0, 0.0]]], dtype=torch.float64),
        LABEL[:1],
        torch.tensor([[True] * 2 + [False]]),
    )
    expected = result(registry, name, whole)
    forms = [vector, torch.tensor(vector), np.array(vector), whole[0], whole[:1], str(tmp_path / "unk_vec.npy"), batch]
    for form in forms:
        torch.testing.assert_close(result(registry, name, form), expected)
    number = result(registry, name, torch.full((6, 2), 7.0))
    for form in (7, 7.0, "7", torch.tensor(7.0)):
        torch.testing.assert_close(result(registry, name, form), number)
    assert not torch.allclose(number, expected)


@every
def test_rows_go_with_their_samples(registry, name):
    whole = result(registry, name, OTHER)
    alone = [result(registry, name, OTHER[i : i + 1], torch.tensor([i])) for i in range(5)]
    if name not in DRAW:
        torch.testing.assert_close(torch.cat(alone), whole)
    if registry is METHODS:
        for size in (4,) if name.startswith("deep_lift") else (1, 2):  # which needs references in the same call
            torch.testing.assert_close(result(registry, name, OTHER, batch_size=size), whole)


@every
def test_the_mean_is_of_each_feature_over_valid_steps(registry, name):
    own = torch.stack([x[:n].mean(0, keepdim=True).expand(6, 2) for x, n in zip(X, LENGTHS, strict=True)])
    torch.testing.assert_close(result(registry, name, "mean"), result(registry, name, own))


@every
def test_it_travels_is_compared_and_is_written_as_it_is_read(registry, name, tmp_path):
    np.save(tmp_path / "rows.npy", OTHER.numpy())
    forms = (7, [19.0, 1010.0], torch.tensor([[1.0, 2.0]]), str(tmp_path / "rows.npy"), "mean")
    for form in forms:
        thing = make(registry, name, form)
        assert pickle.loads(pickle.dumps(thing)) == thing == make(registry, name, form)
        assert hash(thing) == hash(make(registry, name, form)) or name == "captum"
        assert thing != make(registry, name, 8)
        assert registry.make(format_spec(thing)) == thing


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_the_record_makes_the_method_again(name):
    for form in (OTHER, [19.0, 1010.0], "mean"):
        measured = attribute(MODEL, X, make(METHODS, name, form), target=LABEL)
        record = json.loads(json.dumps(measured.provenance.fields))
        assert METHODS.make(name, record) == make(METHODS, name, form)


def nan_at_zero(x, lengths=None):
    length = x.flatten(1).norm(dim=1)[:, None, None]
    return MODEL((x / length) * length)


@every
def test_nan_at_the_baseline_is_blamed_on_it(registry, name):
    if name in ("deep_lift", "deep_lift_shap"):
        pytest.skip("supports certain layers only")
    if name in KEEPS_SOMETHING:
        result(registry, name, "zero", model=nan_at_zero, lengths=None)  # never takes everything away
        return
    with pytest.raises(NonFiniteError, match=r"(?s)at the baseline 'zero'.*choose another baseline"):
        take_everything_away(registry, name)


def take_everything_away(registry, name):
    if registry is METRICS:
        return evaluate(attribute(nan_at_zero, X, "gradient", target=LABEL), make(registry, name, "zero"))
    whole = {"occlusion": "occlusion:window=[6, 2]", "captum": "captum:explainer=ShapleyValueSampling"}
    whole["feature_ablation"] = "feature_ablation:groups=[[0]]"
    method = whole.get(name) or make(registry, name, "zero")
    return attribute(nan_at_zero, X, method, target=LABEL)


def test_integrated_gradients_with_a_tolerance_blame_the_baseline():
    with pytest.raises(NonFiniteError, match="at the baseline 'zero'"), pytest.warns(CompletenessWarning):
        attribute(nan_at_zero, X, "integrated_gradients:tolerance=0.01", target=LABEL)


def test_completeness_is_measured_from_the_baseline_of_the_method():
    attribution = attribute(MODEL, X, make(METHODS, "integrated_gradients", [19.0, 1010.0]), target=LABEL)
    with pytest.warns(CompletenessWarning, match=r"use completeness:baseline=\[19.0, 1010.0\]"):
        METRICS.make("completeness").measure(attribution)
    assert METRICS.make("completeness:baseline=[19.0, 1010.0]").measure(attribution).values.max() < 0.1


def test_a_record_of_a_file_holds_its_digest(tmp_path):
    path = tmp_path / "unk_vec.npy"
    np.save(path, np.array([19.0, 1010.0]))
    text = f"occlusion:window=2,baseline={path}"
    made = METHODS.make(text)
    recorded = add_digests(text, made)
    assert recorded == f"{text}#{made.baseline.digest}"
    assert METHODS.make(recorded) == made
    assert add_digests(recorded, made) == recorded
    np.save(path, np.array([19.0, 1011.0]))
    with pytest.raises(SettingError, match="holds other numbers"):
        METHODS.make(recorded)
