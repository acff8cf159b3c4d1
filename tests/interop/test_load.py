"""Models that `perdure.load` and `perdure.train` return, and those that they reject with a remedy."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import perdure
from perdure.core.errors import CheckpointError, SettingError, UnknownNameError, UnsupportedError
from perdure.models.factory import Factory
from perdure.models.recurrent import Recurrent
from perdure.training.checkpoint import save_checkpoint

SPLITS = perdure.data.Boxes(train=20, validation=10, test=10, size=20).load(0)
GRU = "gru:hidden_size=2"
FACTORY = """
import torch
from torch import nn

def make():
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    with torch.no_grad():
        model[1].weight.fill_(1.0)
        model[1].bias.zero_()
    return model

def draw():
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 2))

def sized(features, classes):
    return nn.Linear(features, classes)
"""


@pytest.fixture
def factory(tmp_path, monkeypatch, request):
    name = "load_" + "".join(c for c in request.node.name if c.isalnum())
    (tmp_path / f"{name}.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield f"{name}.py"
    sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def network():
    return perdure.train(GRU, SPLITS, epochs=1)


def same(model, other):
    x = SPLITS.test.inputs
    return not model.training and torch.equal(model(x), other(x))


def test_equal_seeds_train_equal_models_by_name_or_architecture(network):
    assert same(perdure.train(Recurrent(cell="gru", hidden_size=2), SPLITS, epochs=1), network)
    assert not same(perdure.train(GRU, SPLITS, epochs=1, seed=1), network)


@pytest.mark.parametrize("inside", ["", "seed-00000"])
def test_a_checkpoint_is_loaded_from_its_folder_or_its_run(inside, network, tmp_path):
    save_checkpoint(tmp_path / "seed-00000", network, Recurrent(cell="gru", hidden_size=2), SPLITS, {})
    for path in (tmp_path / inside, str(tmp_path / inside)):
        assert same(perdure.load(path), network)


def test_an_architecture_takes_weights_of_a_file_or_a_checkpoint(network, tmp_path):
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    assert same(perdure.load(GRU, weights=tmp_path / "w.safetensors", splits=SPLITS), network)
    with pytest.raises(SettingError, match=r"needs the number of features.*splits=splits"):
        perdure.load(GRU, weights=tmp_path / "w.safetensors")
    with pytest.raises(SettingError, match=r"weights without their architecture.*weights="):
        perdure.load(tmp_path / "w.safetensors")


def test_a_factory_returns_a_trained_model_or_takes_weights(factory, tmp_path):
    model = perdure.load(f"{factory}:make")
    x = torch.randn(3, 2, 3)
    assert not model.training
    assert torch.allclose(model(x), x.sum((1, 2))[:, None].expand(3, 2), atol=1e-6)
    with pytest.raises(SettingError, match=r"random weights.*perdure\.train"):
        perdure.load(f"{factory}:draw")
    weights = {"weight": torch.ones(2, 6), "bias": torch.zeros(2)}
    save_file({f"1.{name}": value for name, value in weights.items()}, "own.safetensors")
    again = perdure.load(f"{factory}:draw", weights="own.safetensors")
    assert torch.allclose(again(x), model(x))
    with pytest.raises(SettingError, match="needs the number of features"):
        perdure.load(f"{factory}:sized")


def test_a_checkpoint_of_a_factory_is_loaded_by_the_factory_only(factory, tmp_path):
    source = f"{factory}:sized"
    series = perdure.data.Boxes(train=6, validation=4, test=4, size=20).load(0)
    model = Factory(source).build(series.features, len(series.classes), torch.Generator())
    save_checkpoint(tmp_path / "run", model, Factory(source), series, {})
    with pytest.raises(CheckpointError, match=r"perdure\.load\('.*:sized', weights="):
        perdure.load(tmp_path / "run")
    weights = perdure.load(source, weights=tmp_path / "run").state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (GRU, SettingError, r"no trained weights.*perdure\.train\('gru:hidden_size=2', splits\)"),
        ("gur", UnknownNameError, "did you mean 'gru'"),
        ("no/folder", CheckpointError, "no trained model"),
        ("own.py", SettingError, "own.py:make"),
        (nn.Linear(2, 2), UnsupportedError, r"transformers\.pipeline"),
    ],
)
def test_a_model_without_weights_is_rejected_with_a_remedy(source, error, message):
    with pytest.raises(error, match=message):
        perdure.load(source)


def test_settings_of_training_are_checked(network, tmp_path):
    with pytest.raises(SettingError, match="did you mean 'epochs'"):
        perdure.train(GRU, SPLITS, epoch=1)
    with pytest.raises(SettingError, match="preset"):
        perdure.train(GRU, SPLITS, preset="fast")
    save_checkpoint(tmp_path / "run", network, Recurrent(cell="gru", hidden_size=2), SPLITS, {})
    with pytest.raises(SettingError, match=r"already has|is a trained model"):
        perdure.train(str(tmp_path / "run"), SPLITS)
    with pytest.raises(SettingError, match="already has weights"):
        perdure.load(tmp_path / "run", weights=Path("w.safetensors"))
