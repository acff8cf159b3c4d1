import json

import pytest

from perdure.audit import ensemble_arrays
from perdure.audit.settings import AuditSettings
from perdure.cli.audit import _train_further
from perdure.engine.pool import InProcess
from perdure.models.recurrent import Recurrent
from perdure.training.model_source import ModelSource
from perdure.training.model_spec import ModelSpec
from perdure.training.settings import CLEAN
from tests.cli.shell import run

EVENTS = "planted_events:train=60,validation=20,test=12"
MODEL = "attention:dense_size=4"
QUICK = ["--train-settings", "epochs=1"]


@pytest.fixture(autouse=True)
def few_counts(monkeypatch):
    """Save time where the number of clusters does not matter."""
    monkeypatch.setattr(ensemble_arrays, "COUNTS", range(2, 4))


@pytest.fixture
def no_page(monkeypatch):
    """Save time where the page does not matter."""
    monkeypatch.setattr("perdure.report.pages.write.write_page", lambda folder, _: folder / "report.html")


@pytest.mark.parametrize("vary", ["seed", "bootstrap"])
def test_reproduce_trains_explains_and_resumes(vary, tmp_path, no_page):
    arguments = ("reproduce", MODEL, EVENTS, "--runs", 3, "--vary", vary, "--method", "gradient", *QUICK)
    record = json.loads(run(*arguments, "--out", tmp_path, "--json"))
    assert [item["name"] for item in record["runs"]] == [f"{vary} {i}" for i in range(3)]
    weights = [(tmp_path / f"runs/{vary}-{i:05d}/model.safetensors") for i in range(3)]
    assert len({path.read_bytes() for path in weights}) == 3
    before = [path.stat().st_mtime_ns for path in weights]
    (tmp_path / f"maps/{vary}-1/gradient/part-00000.parquet").unlink()
    assert json.loads(run(*arguments, "--out", tmp_path, "--json")) == record
    assert [path.stat().st_mtime_ns for path in weights] == before


def test_two_processes_resume_with_the_bytes_of_one(tmp_path, no_page):
    arguments = ("reproduce", MODEL, EVENTS, "--runs", 2, "--method", "gradient", *QUICK, "--out", tmp_path)
    run(*arguments)
    first = {
        path: path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name not in ("plan.yaml", "times.json")
    }
    for path in first.keys() - {tmp_path / "run.yaml"}:
        path.unlink()
    run(*arguments, "--workers", 2)
    assert {path: path.read_bytes() for path in first} == first
    assert json.loads(run("status", tmp_path, "--json"))["commands"][0]["steps"][:2] == [
        {"name": "trainings", "done": 2, "of": 2, "failed": 0},
        {"name": "maps", "done": 2, "of": 2, "failed": 0},
    ]


def test_the_page_is_rendered_again_from_the_folder(tmp_path):
    text = run("reproduce", MODEL, EVENTS, "--runs", 2, "--method", "gradient", *QUICK, "--out", tmp_path)
    assert "Would a retrained model be explained the same way?" in text
    page = tmp_path / "report.html"
    first = page.read_bytes()
    page.unlink()
    run("report", tmp_path)
    assert page.read_bytes() == first


def test_folders_of_trained_runs_are_runs_whatever_their_architecture(tmp_path, no_page):
    run("train", MODEL, EVENTS, "--seeds", 2, *QUICK, "--out", tmp_path / "two")
    run("train", "gru:hidden_size=3", EVENTS, *QUICK, "--out", tmp_path / "other")
    arguments = ("reproduce", tmp_path / "two", EVENTS, "--folders", tmp_path / "other", "--method", "gradient")
    record = json.loads(run(*arguments, "--out", tmp_path / "run", "--json"))
    assert len(record["runs"]) == 3
    assert len({item["name"] for item in record["runs"]}) == 3


def test_attention_comes_first_where_there_is_one(tmp_path, no_page):
    record = json.loads(run("reproduce", MODEL, EVENTS, "--runs", 2, *QUICK, "--out", tmp_path, "--json"))
    assert record["methods"] == ["attention", "gradient", "integrated_gradients:steps=32"]


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ((MODEL, "--runs", "1"), "nothing to compare"),
        ((MODEL, "--vary", "weather"), "vary"),
        ((MODEL, "--method", "gradeint"), "did you mean 'gradient'"),
        (("lstm", "--method", "attention"), "attention"),
    ],
)
def test_wrong_words_get_a_named_error_before_anything_is_trained(arguments, cause, tmp_path):
    model, *options = arguments
    assert cause in run("reproduce", model, EVENTS, *options, "--out", tmp_path / "run", code=3)
    assert not (tmp_path / "run/runs").exists()


def test_an_audit_compares_runs_when_they_are_given(tmp_path):
    boxes = "boxes:train=60,validation=20,test=24,size=20"
    arguments = ("audit", "lstm_mean_pooling:hidden_size=4", boxes, "--method", "gradient", "--samples", 8)
    arguments = (*arguments, "--train-settings", "epochs=3,learning_rate=0.03", "--out", tmp_path, "--json")
    first = json.loads(run(*arguments))["models"][0]
    assert first["verdicts"][-1]["answer"] == "not tested"
    record = json.loads(run(*arguments, "--runs", 3))  # the same audit resumes
    assert record["models"][0]["verdicts"][:-1] == first["verdicts"][:-1]
    verdict = record["models"][0]["verdicts"][-1]
    assert verdict["question"] == "Would a retrained model be explained the same way?"
    assert verdict["answer"] in ("yes", "partly", "no", "unclear")
    maps = tmp_path / "across/lstm_mean_pooling-hidden_size=4/maps"
    assert sorted(path.name for path in maps.iterdir()) == ["seed-0", "seed-1", "seed-2"]
    assert "Would a retrained model" in (tmp_path / "report.html").read_text()


def test_a_model_that_has_not_learned_has_no_verdict_across_runs_either(tmp_path):
    arguments = ("audit", "gru:hidden_size=3", EVENTS, "--method", "gradient", "--samples", 8, "--runs", 2, *QUICK)
    (model,) = json.loads(run(*arguments, "--out", tmp_path, "--json"))["models"]
    assert model["accuracy"]["low"] <= model["accuracy"]["null"]
    assert {verdict["answer"] for verdict in model["verdicts"]} == {"not learned"}


def test_an_audit_does_not_train_again_what_it_did_not_train(tmp_path):
    trained = ModelSource(ModelSpec("own", "checkpoint"), "digest", Recurrent(), lambda _: None)
    assert "The training of 'own' is unknown" in _train_further(
        trained, None, CLEAN, (tmp_path, InProcess(), "cpu"), AuditSettings(runs=3)
    )
