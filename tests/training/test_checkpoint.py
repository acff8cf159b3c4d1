import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import CheckpointError, CheckpointWarning, PerdureError
from perdure.data._splits import Splits
from perdure.models.factory import Factory
from perdure.models.recurrent import Recurrent
from perdure.training.checkpoint import is_finished, load_checkpoint, load_into, load_weights, save_checkpoint

CONFIG = Recurrent(cell="gru", hidden_size=4, pooling="self_attention", hops=2, attention_size=3)
BATCH = Batch(torch.zeros(1, 2, 3), torch.tensor([0]))
SPLITS = Splits(BATCH, BATCH, BATCH, ("down", "up"))
EXTRA = {"accuracy": 0.9, "seed": 7}


class Bomb:
    """What a malicious file holds: code that runs when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def build(seed=0):
    return CONFIG.build(3, 2, torch.Generator().manual_seed(seed))


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(tmp_path / "run", build(), CONFIG, SPLITS, EXTRA)
    return tmp_path / "run"


def test_the_model_comes_back_bit_equal(folder):
    model, info = load_checkpoint(folder)
    x = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), build().eval()(x))
    assert not model.training
    assert (info.config, info.features, info.classes, info.extra) == (CONFIG, 3, ("down", "up"), EXTRA)
    assert set(info.versions) == {"perdure", "torch", "python"}


def test_the_files_need_no_perdure(folder):
    assert sorted(os.listdir(folder)) == ["model.safetensors", "model.yaml"]  # noqa: PTH208
    assert yaml.safe_load((folder / "model.yaml").read_text())["model"]["hidden_size"] == 4
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    assert all(torch.equal(weights[name], value) for name, value in build().state_dict().items())


def test_a_checkpoint_is_finished_when_its_description_is_there(folder, tmp_path):
    assert is_finished(folder)
    (folder / "model.yaml").unlink()
    assert not is_finished(folder)
    with pytest.raises(CheckpointError, match=r"holds no trained model: it holds model\.safetensors"):
        load_checkpoint(folder)


def test_weights_of_another_run_are_found(folder):
    weights = {name: value.contiguous() for name, value in build(1).state_dict().items()}
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"not those that model\.yaml describes"):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["", "a: [", "model: {name: recurrent}", "model: {name: nothing}", "- 1"])
def test_a_changed_description_is_named(folder, text):
    (folder / "model.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"model\.yaml does not describe a model"):
        load_checkpoint(folder)


def test_a_setting_out_of_range_in_the_description(folder):
    text = (folder / "model.yaml").read_text()
    (folder / "model.yaml").write_text(text.partition("\n")[2].replace("hidden_size: 4", "hidden_size: 0"))
    with pytest.raises(CheckpointError, match="hidden_size is 0"):
        load_checkpoint(folder)


def test_tensors_that_do_not_fit_are_named_and_change_nothing(tmp_path):
    torch.save({"weight": torch.zeros(2, 5), "other": torch.zeros(1)}, tmp_path / "w.pt")
    model = nn.Linear(3, 2)
    before = model.weight.clone()
    with pytest.raises(CheckpointError) as error:
        load_into(model, tmp_path / "w.pt")
    assert "'weight' has shape (2, 5) in the file and (2, 3) in the model" in error.value.cause
    assert "'bias' is missing" in error.value.cause
    assert "'other' is not in the model" in error.value.cause
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_a_missing_and_a_truncated_file(folder, tmp_path, name):
    with pytest.raises(CheckpointError, match=f"cannot read .*{name}"):
        load_weights(tmp_path / name)
    if name == "w.pt":
        torch.save(build().state_dict(), tmp_path / name)
    else:
        (folder / "model.safetensors").rename(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    for kept in (0, 5, len(data) // 2, len(data) - 1):
        (tmp_path / name).write_bytes(data[:kept])
        with pytest.raises(CheckpointError, match=f"{name} is"):
            load_weights(tmp_path / name)


@pytest.mark.parametrize("junk", [b"", b"a\n", b"hello world", b"PK\x03\x04junk", b"\x80\x02.", b"\x80\x02K\x01."])
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_file_of_something_else_is_no_weights(tmp_path, name, junk):
    (tmp_path / name).write_bytes(junk)
    with pytest.raises(CheckpointError, match=name):
        load_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("save", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing, 2))])
def test_code_in_a_pickle_does_not_run(tmp_path, name, save):
    ran = tmp_path / "ran"
    save({"weight": Bomb(ran)}, tmp_path / name)
    with pytest.raises(CheckpointError, match=f"{name} is .*safetensors"):
        load_weights(tmp_path / name)
    assert not ran.exists()


def test_a_whole_model_is_refused(tmp_path):
    torch.save(nn.Linear(2, 1), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="could run untrusted code"):
        load_weights(tmp_path / "model.pt")


@pytest.mark.parametrize("thing", [[torch.zeros(1)], {"epoch": 3, "weight": torch.zeros(1)}])
def test_only_tensors_by_name_are_weights(tmp_path, thing):
    torch.save(thing, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="does not hold tensors by name"):
        load_weights(tmp_path / "w.pt")


def test_state_dicts_of_torch_are_read(tmp_path):
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    torch.save(model.state_dict(), tmp_path / "w.pt")
    load_into(other, tmp_path / "w.pt")
    assert torch.equal(model.weight, other.weight)


def test_the_vocabulary_of_a_model_of_texts_comes_back(tmp_path):
    words = ("<unk>", "<pad>", "café", "\u2028", "“")
    splits = replace(SPLITS, vocabulary=words)
    save_checkpoint(tmp_path, build(), CONFIG, splits, EXTRA)
    assert load_checkpoint(tmp_path)[1].vocabulary == words
    (tmp_path / "vocabulary.txt").write_text("<unk>\n")
    with pytest.raises(CheckpointError, match="holds 1 words where 5 were stored"):
        load_checkpoint(tmp_path)
    (tmp_path / "vocabulary.txt").unlink()
    with pytest.raises(CheckpointError, match=r"vocabulary\.txt cannot be read"):
        load_checkpoint(tmp_path)


OWN = """
from pathlib import Path

from torch import nn

Path("{marker}").touch()


class Sum(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.head = nn.Linear(features, classes)

    def forward(self, x):
        return self.head(x.sum(1))


def make(features, classes):
    return Sum(features, classes)


def wide(features, classes):
    return Sum(features + 1, classes)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A checkpoint of a factory whose file records that it is imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_sum.py").write_text(OWN.format(marker=tmp_path / "imported"))
    config = Factory(f"{tmp_path / 'own_sum.py'}:make")
    model = config.build(3, 2, torch.Generator().manual_seed(0))
    save_checkpoint(tmp_path / "run", model, config, SPLITS, EXTRA)
    yield config, model, tmp_path
    sys.modules.pop("own_sum")


def test_the_weights_of_a_factory_have_the_names_of_its_author(own):
    config, model, folder = own
    assert set(load_weights(folder / "run/model.safetensors")) == {"head.weight", "head.bias"}
    loaded, info = load_checkpoint(folder / "run", config)
    x = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(x), model.eval()(x))
    assert info.config == config


@pytest.mark.parametrize("config", [None, CONFIG])
def test_a_checkpoint_cannot_have_a_factory_run(own, config):
    """A checkpoint may name any file, so nothing is imported that the caller did not name."""
    _, _, folder = own
    sys.modules["own_sum"], before = None, sys.modules["own_sum"]
    (folder / "imported").unlink()
    with pytest.raises(
        CheckpointError, match=r"a checkpoint alone never runs code. Remedy: where you trust.*--weights"
    ):
        load_checkpoint(folder / "run", config)
    assert not (folder / "imported").exists()
    sys.modules["own_sum"] = before


def test_the_factory_of_the_caller_is_run_and_never_that_of_the_file(own, tmp_path):
    config, _, folder = own
    described = yaml.safe_load((folder / "run/model.yaml").read_text())
    described["model"]["source"] = "/somewhere/evil.py:make"
    (folder / "run/model.yaml").write_text(yaml.safe_dump(described))
    assert load_checkpoint(folder / "run", config)[1].config == config


def test_weights_that_another_factory_made_are_named(own):
    config, _, folder = own
    with pytest.raises(CheckpointError, match=r"'head.weight' has shape \(2, 3\) in the file and \(2, 4\)"):
        load_checkpoint(folder / "run", Factory(config.source.replace(":make", ":wide")))


def _wrap_names(pattern):
    return {pattern.format(*name.split(".")): value for name, value in _network().state_dict().items()}


def _network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


PATTERNS = (
    "module.{}.{}",
    "_orig_mod.{}.{}",
    "_orig_mod.module.{}.{}",
    "model.{}.{}",
    "net.model.{}.{}",
    "{}._orig_mod.{}",
)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("within", [lambda state: state, lambda state: {"epoch": 3, "state_dict": state}])
def test_the_weights_of_a_wrapped_model_are_loaded_and_it_is_named(tmp_path, pattern, within):
    torch.save(within(_wrap_names(pattern)), tmp_path / "w.pt")
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    with pytest.warns(CheckpointWarning, match=rf"'{pattern.format(0, 'weight')}' is loaded as '0\.weight'"):
        load_into(model, tmp_path / "w.pt")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in _network().state_dict().items())


def test_the_weights_of_a_wrapped_model_that_do_not_fit_without_it_either(tmp_path):
    torch.save({**_wrap_names("module.{}.{}"), "module.2.weight": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"all names begin with 'module\.'.*without it they do not fit either"):
        load_into(_network(), tmp_path / "w.pt")


@pytest.mark.parametrize("size", ["1e6", "1e9", "1000000", "1000000000"])
def test_a_size_that_the_weights_do_not_have_is_refused_before_memory_is_taken(folder, size):
    text = (folder / "model.yaml").read_text()
    (folder / "model.yaml").write_text(text.replace("hidden_size: 4", f"hidden_size: {size}"))
    with pytest.raises(PerdureError, match="Remedy"):
        load_checkpoint(folder)
