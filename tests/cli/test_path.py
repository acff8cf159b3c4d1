"""`perdure path` from a user's side: what it writes, what it finds by itself, and what it rejects."""

import json

import pytest

from perdure.landscape.curve import CurveSettings
from perdure.landscape.surface import ModelLoss
from tests.cli.shell import run

EVENTS = "planted_events:train=40,validation=10,test=12,shortest=6,longest=8,fillers=2"
MODEL = "attention:dense_size=3,hidden_sizes=[3]"
FEW = ["--kind", "linear", "--points", "3", "--samples", "8"]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train") / "run"
    run("train", MODEL, EVENTS, "--seeds", "2", "--train-settings", "epochs=1", "--out", folder)
    return folder / "seed-00000", folder / "seed-00001"


@pytest.fixture
def no_page(monkeypatch):
    """Draw no page."""
    monkeypatch.setattr("perdure.report.pages.write.write_page", lambda folder, _: folder / "report.html")


def test_the_data_is_looked_up_and_attention_is_the_explanation(seeds, tmp_path):
    record = json.loads(run("path", *seeds, *FEW, "--out", tmp_path / "p", "--json"))
    assert record["methods"] == ["attention"]
    assert record["provenance"]["data"] == EVENTS
    assert [kind["kind"] for kind in record["kinds"]] == ["linear"]
    page = tmp_path / "p/report.html"
    first = page.read_bytes()
    page.unlink()
    assert str(page) in run("report", tmp_path / "p")
    assert page.read_bytes() == first
    result = json.loads(run("status", tmp_path / "p", "--json"))
    assert (result["kind"], result["left"], result["pictures"]) == ("path", None, ["report.html"])


@pytest.mark.usefixtures("no_page")
def test_the_table_names_barrier_costs_and_agreement(seeds, tmp_path):
    text = run("path", *seeds, EVENTS, *FEW, "--method", "gradient", "--no-align", "--out", tmp_path / "p")
    for word in ("barrier", "straight", "noise", "seconds", "passes", "Spearman of gradient", "search", "report.html"):
        assert word in text
    assert "units matched" not in text


@pytest.mark.usefixtures("no_page")
def test_another_question_in_the_same_folder_is_refused(seeds, tmp_path):
    run("path", *seeds, *FEW, "--out", tmp_path / "p")
    message = run("path", *seeds, *FEW, "--method", "gradient", "--out", tmp_path / "p", code=4)
    assert "methods is ['attention'] there and ['gradient'] here" in message


@pytest.mark.usefixtures("no_page")
def test_a_command_that_is_interrupted_gives_the_same_answer_when_it_is_started_again(seeds, tmp_path, monkeypatch):
    """Cut at the thirtieth gradient of forty: what was stored before is not computed again."""
    monkeypatch.setattr("perdure.landscape.curve.CurveSettings", lambda: CurveSettings(steps=40))
    requested, gradient = ("path", *seeds, "--kind", "bezier", "--points", 3, "--samples", 8), ModelLoss.gradient
    whole = json.loads(run(*requested, "--out", tmp_path / "whole", "--json"))
    calls = []

    def counts(surface, *arguments):
        calls.append(1)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return gradient(surface, *arguments)

    monkeypatch.setattr(ModelLoss, "gradient", counts)
    run(*requested, "--out", tmp_path / "cut", "--json", code=130)
    assert not (tmp_path / "cut/path.json").exists()
    result = json.loads(run(*requested, "--out", tmp_path / "cut", "--json"))
    assert 40 < len(calls) < 30 + 40
    for record in (whole, result):
        for name in ("page", "provenance"):
            record.pop(name)
        record["kinds"][0].pop("seconds", None)
    assert result == whole


def test_runs_that_no_path_can_join(seeds, tmp_path):
    run("train", "gru:hidden_size=3", EVENTS, "--train-settings", "epochs=1", "--out", tmp_path / "gru")
    message = run("path", seeds[0], tmp_path / "gru/seed-00000", *FEW, code=4)
    assert "the runs are of different architectures: " in message
    assert "is absent and" in message or "and absent" in message
    assert "have the same weights" in run("path", seeds[0], seeds[0], *FEW, code=4)
    assert "published tracking needs" in run("path", *seeds, "--kind", "published", code=3)
    assert "no record of the training data" in run("path", tmp_path / "a", tmp_path / "b", *FEW, code=3)
    assert "holds no trained model" in run("path", seeds[0], tmp_path / "b", EVENTS, *FEW, code=4)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/failed.txt").write_text("the training loss is nan at step 3.\n")
    message = run("path", seeds[0], tmp_path / "b", EVENTS, *FEW, code=4)
    assert "b has no model, as its training failed: the training loss is nan at step 3." in message
