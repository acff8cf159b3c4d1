"""Devices: a missing one is named, and on another one nothing is left behind."""

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.audit.across_runs import compare_runs
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, slice_batch
from perdure.core.device import check_device, device_of, devices
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.registry import METHODS, METRICS
from perdure.core.target import Logit
from perdure.data._splits import Splits
from perdure.engine.explain import fit_method
from perdure.landscape.surface import ModelLoss
from perdure.metrics._evaluate import evaluate
from perdure.models._presets import model_config
from perdure.ops.params import params_of
from perdure.stability.members import Ensemble
from perdure.training.settings import Training
from perdure.training.train import Runs
from tests.away import AWAY, Away, away

METHOD_NAMES = (
    "gradient",
    "integrated_gradients",
    "occlusion",
    "smooth_grad",
    "input_iba:steps=2",
    "extremal_perturbation:steps=3",
    "shapley_sampling:samples=2",
)
METRIC_NAMES = ("insertion", "deletion", "auroc", "vanishing", "parameter_randomisation", "degradation")

HAS_CARD = torch.cuda.is_available()


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(2, 3, batch_first=True)
        self.out = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture
def batch():
    truth = torch.zeros(3, 5, 2).bool()
    truth[:, 2] = True
    return Batch(torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 0]), truth=truth)


def test_the_cpu_is_always_there_and_a_missing_device_is_named_with_those_that_are():
    assert devices()[0] == "cpu"
    check_device("cpu")
    for missing in ("cuda:99", "meta", "gpu", ""):
        with pytest.raises(SettingError, match=f"there is no device '{missing}' here, but cpu.*Remedy: name one"):
            check_device(missing)


def test_the_pretended_device_rejects_what_was_left_behind():
    with away() as there:
        x = torch.ones(2, 3).to(there)
        assert (x + 1).device == AWAY
        assert not isinstance(x.cpu(), Away)
        with pytest.raises(RuntimeError, match="was left on the CPU"):
            x + torch.ones(2, 3)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_method_explains_on_another_device_as_on_the_cpu(name, model, batch):
    def maps(device):
        model.to(device)
        method = fit_method(METHODS.make(name), model, batch)
        result = attribute(model, batch.inputs.to(device), method, target=batch.label)
        assert result.provenance.device == device
        assert result.values.device == device_of(model)
        return result.values.cpu()

    on_cpu = maps("cpu")
    with away() as there:
        torch.testing.assert_close(maps(there), on_cpu)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_a_metric_measures_on_another_device_as_on_the_cpu(name, model, batch):
    def scores(device):
        query = Query(model.to(device), batch.inputs.to(device), Logit(batch.label), seeds=torch.arange(3))
        score = evaluate(
            Attribution(
                query.gradient(query.x), source=query, truth=batch.truth.to(device), method=METHODS.make("gradient")
            ),
            name,
        )
        return torch.stack([score.values.cpu(), score.null.cpu(), score.ceiling.cpu()])

    assert METRICS.make(name)
    on_cpu = scores("cpu")
    with away() as there:
        torch.testing.assert_close(scores(there), on_cpu)


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_weights_on_the_cpu_are_put_into_a_model_elsewhere(model, batch):
    params = params_of(model)
    losses, gradient = ModelLoss(model, batch).losses(params), ModelLoss(model, batch).gradient(params)
    with away() as there:
        surface = ModelLoss(Network().eval().to(there), batch)
        torch.testing.assert_close(surface.losses(params), losses)
        torch.testing.assert_close(surface.gradient(params), gradient)
        assert isinstance(surface.model_at(params).out.bias, Away)


@pytest.fixture
def disable_fusion(monkeypatch):
    """Let torch train on the pretended device, for which it has no fused optimiser."""
    plain = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda *given, fused, **named: plain(*given, **named))


@pytest.mark.usefixtures("disable_fusion")
def test_runs_are_trained_explained_and_compared_on_another_device_as_on_the_cpu(batch, tmp_path):
    several = slice_batch(batch, [0, 1, 1, 1])  # one class is the most frequent, which both runs learn first
    splits, config = Splits(several, several, several, ("no", "yes")), model_config("lstm:hidden_size=2")

    settings = Training(epochs=20, min_steps=1, learning_rate=0.03)

    def result(device):
        runs = Runs(config, splits, settings, tmp_path / device / "runs", device=device)
        for seed in range(2):
            runs(seed)
        ensemble = Ensemble({f"seed {seed}": runs.place(seed) for seed in range(2)}, device=device)
        verdict = compare_runs(ensemble, splits, 4, "gradient", tmp_path / device, 0)
        return [number.value for number in verdict.numbers]

    on_cpu = result("cpu")
    assert len(on_cpu) == 2
    with away() as there:
        assert result(there) == pytest.approx(on_cpu, abs=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_CARD, reason="this torch finds no CUDA device")
@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_graphics_card_explains_as_the_cpu(name, model, batch):
    method = fit_method(METHODS.make(name), model, batch)
    on_cpu = attribute(model, batch.inputs, method, target=batch.label).values
    there = attribute(model.to("cuda"), batch.inputs.to("cuda"), method, target=batch.label).values
    torch.testing.assert_close(
        there.cpu(), on_cpu, rtol=1e-3, atol=1e-4
    )  # sums of a graphics card are in another order
