"""Models of every origin on the command line: named, trained, one's own, with weights in a separate file."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from perdure.cli.inputs import load_data
from perdure.cli.models import load_or_train_source, open_models, open_named, read_texts
from perdure.core.errors import CheckpointError, FactoryError, SettingError, UnknownNameError
from perdure.models.factory import Factory
from perdure.models.published import Published
from perdure.records.run import config_digest
from perdure.training.model_spec import resolve_model
from tests.cli.shell import run
from tests.cli.test_cli import BOXES, QUICK
from tests.models.own import GOOD

SERIES = "series.npz"


@pytest.fixture
def place(tmp_path, monkeypatch, request):
    """A working folder with a factory and series, two classes of three features."""
    rng = np.random.default_rng(0)
    label = np.arange(60) % 2
    inputs = rng.normal(size=(60, 8, 3)).astype(np.float32) + label[:, None, None]
    np.savez(tmp_path / SERIES, inputs=inputs, label=label)
    name = "mine_" + "".join(c for c in request.node.name if c.isalnum())
    (tmp_path / f"{name}.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield f"{name}.py:make"
    sys.modules.pop(name, None)


def test_a_factory_is_trained_audited_and_its_page_written(place, tmp_path):
    arguments = ("audit", place, SERIES, "--method", "saliency", "--samples", "4", "--out", "audit", *QUICK)
    record = json.loads(run(*arguments, "--json"))
    assert [model["name"] for model in record["models"]] == [place]
    assert place.encode() in (tmp_path / "audit/report.html").read_bytes()
    assert record["provenance"]["models"][place]["code"] == Factory(place).code
    (tmp_path / place.partition(":")[0]).write_text(GOOD + "\n")
    assert "code is" in run(*arguments, code=4)


def test_a_factory_is_evaluated_only_when_it_is_named_again(place):
    assert f"perdure evaluate maps --model {place}" in run("explain", place, SERIES, "--out", "maps", *QUICK)
    refused = run("evaluate", "maps", code=4)
    assert "a run folder alone never runs code" in refused
    assert f"--model {place}" in refused
    assert "vanishing" in json.loads(run("evaluate", "maps", "--model", place, "--json"))
    other = place.replace(":make", ":plain")
    assert "is another model than the one that was explained" in run("evaluate", "maps", "--model", other, code=4)


@pytest.mark.parametrize(
    "disguise", ["evil.py:make", "evil.sub:make", "factory:source=evil:make", "factory:source=evil.py:make"]
)
def test_a_run_folder_cannot_have_code_run_however_it_names_it(place, tmp_path, disguise):
    """Whoever hands a run folder over may have written anything into it."""
    run("explain", "gru:hidden_size=2", SERIES, "--out", "maps", "--limit", "4", *QUICK)
    (tmp_path / "evil.py").write_text("from pathlib import Path; Path('ran').touch()")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/__init__.py").write_text("from pathlib import Path; Path('ran').touch()")
    described = yaml.safe_load((tmp_path / "maps/run.yaml").read_text())
    described["config"]["model"] = disguise
    described["digest"] = config_digest(described["config"])  # as the author of a forged folder would
    (tmp_path / "maps/run.yaml").write_text(yaml.safe_dump(described))
    assert "a run folder alone never runs code" in run("evaluate", "maps", code=4)
    assert not (tmp_path / "ran").exists()


def test_a_trained_factory_is_used_by_its_name_and_the_folder_of_its_weights(place):
    assert f"perdure explain {place} DATA --weights FOLDER" in run("train", place, SERIES, "--out", "run", *QUICK)
    assert "a checkpoint alone never runs code" in run("explain", "run", SERIES, code=4)
    source = open_named(place, Path("run"))
    splits = read_texts((source,), load_splits())
    trained = source.load(splits)
    wanted = load_file("run/seed-00000/model.safetensors")
    assert all(torch.equal(value, wanted[name]) for name, value in trained.model.state_dict().items())
    run("explain", place, SERIES, "--weights", "run", "--out", "maps", "--limit", "4")


def test_trained_runs_of_a_factory_are_compared_and_joined_by_who_names_it(place, monkeypatch):
    monkeypatch.setattr("perdure.report.pages.write.write_page", lambda folder, _: folder / "report.html")
    run("train", place, SERIES, "--seeds", 2, "--out", "runs", *QUICK)
    few = ("--method", "gradient", "--samples", 4, "--json")
    path = ("path", "runs/seed-00000", "runs/seed-00001", "--kind", "linear", "--points", 3, *few)
    for arguments in (path, ("reproduce", "runs", SERIES, *few)):
        assert f"--model {place}" in run(*arguments, code=4)
        assert "names no factory" in run(*arguments, "--model", "lstm", code=3)
        assert "answer" in json.loads(run(*arguments, "--model", place))


def load_splits():
    return load_data(SERIES, 0)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_of_a_file_make_a_model_a_trained_one(place, suffix):
    splits = load_splits()
    state = Factory(place).build(3, 2, torch.Generator().manual_seed(7)).model.state_dict()
    file = Path(f"weights{suffix}")
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    source = open_named(place, file)
    model = load_or_train_source(source, splits, None, seed=0, folder=Path("nowhere"))
    assert not model.training
    assert all(torch.equal(value, state[name]) for name, value in model.model.state_dict().items())
    assert source.architecture == Factory(place)
    assert source.described["weights"] != open_named(place, change_weights(file, state)).described["weights"]


def change_weights(file, state):
    other = file.with_stem("other")
    state = {name: value + 1 for name, value in state.items()}
    save_file(state, other) if file.suffix == ".safetensors" else torch.save(state, other)
    return other


def test_weights_that_do_not_fit_name_their_tensors(place):
    state = Factory(place).build(3, 2, torch.Generator()).model.state_dict()
    del state["head.bias"]
    save_file({**state, "head.weight": torch.zeros(9, 4), "extra": torch.zeros(1)}, "misfit.safetensors")
    message = run("audit", place, SERIES, "--weights", "misfit.safetensors", code=4)
    for part in ("'head.weight' has shape (9, 4)", "'extra' is not in the model", "'head.bias' is missing"):
        assert part in message
    save_file({name: torch.zeros(2) for name in "ab"}, "misfit.safetensors")
    assert "do not fit" in run("explain", "gru", SERIES, "--weights", "misfit.safetensors", code=4)


def test_a_named_model_is_explained_at_once_and_evaluated(tmp_path):
    out = tmp_path / "maps"
    run("explain", "gru:hidden_size=2", BOXES, "--out", out, "--limit", "6", *QUICK)
    assert (out / "model/model.safetensors").exists()
    assert "auroc" in json.loads(run("evaluate", out, "--metric", "auroc", "--json"))


def test_weights_that_changed_since_they_were_explained_are_refused(place):
    run("train", "gru:hidden_size=2", SERIES, "--out", "run", *QUICK)
    run("explain", "run", SERIES, "--out", "maps", "--limit", "4")
    run("train", "gru:hidden_size=3", SERIES, "--out", "other", *QUICK)
    for file in ("model.safetensors", "model.yaml"):
        Path(f"run/seed-00000/{file}").write_bytes(Path(f"other/seed-00000/{file}").read_bytes())
    assert "is another model than the one that was explained" in run("evaluate", "maps", code=4)


def test_what_is_named_is_found():
    assert open_named("timm:resnet18").architecture == Published("resnet18")
    assert open_named("gru:hidden_size=5").architecture.hidden_size == 5
    assert [
        resolve_model(text).needs_user_code for text in ("gru", "own.py:make", "a.b:make", "hf:some/id", "timm:vgg16")
    ] == [
        False,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("own.py", SettingError, "own.py:make"),
        ("gur", UnknownNameError, "did you mean 'gru'"),
        ("no/folder", CheckpointError, "no trained model"),
        ("nowhere.py:make", FactoryError, "there is no file 'nowhere.py'"),
    ],
)
def test_what_is_not_there_is_named(text, error, message):
    with pytest.raises(error, match=message):
        open_named(text)


def test_models_are_different_and_weights_are_given_once(place):
    with pytest.raises(SettingError, match="named twice"):
        open_models(["gru", "gru"])
    run("train", "gru:hidden_size=2", SERIES, "--out", "run", *QUICK)
    with pytest.raises(SettingError, match="already has weights"):
        open_named("run", Path("run"))
