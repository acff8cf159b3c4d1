import json
import subprocess
import sys
import warnings

import duckdb
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from perdure.cli import main as cli
from tests.cli.shell import run

BOXES = "boxes:variant=middle,size=20,train=40,validation=20,test=20"
QUICK = ["--train-settings", "epochs=2"]
COMMANDS = ("audit", "train", "explain", "evaluate", "report", "study", "list", "cite")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train") / "run"
    run("train", "lstm:hidden_size=4", BOXES, "--out", folder, *QUICK)
    return folder / "seed-00000"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_help(command):
    text = run(command, "--help")
    assert "--json" in text
    (registered,) = [c for c in cli.app.registered_commands if c.name == command]
    assert registered.callback.__doc__


def test_exit_codes_are_documented():
    assert "130 interrupted" in run("--help")


def test_train_gives_the_same_weights_for_the_same_seed(train, tmp_path):
    result = json.loads(run("train", "lstm:hidden_size=4", BOXES, "--out", tmp_path / "b", *QUICK, "--json"))
    weights = (tmp_path / "b/seed-00000/model.safetensors").read_bytes()
    assert weights == (train / "model.safetensors").read_bytes()
    assert result[0]["seed"] == 0


def test_explain_evaluate_and_read_with_duckdb(train, tmp_path):
    out = tmp_path / "maps"
    result = json.loads(run("explain", train, BOXES, "--method", "gradient", "--out", out, "--json"))
    assert result["samples"] == 20
    ((count,),) = duckdb.sql(f"select count(*) from '{out}/maps/*.parquet'").fetchall()
    assert count == 20
    scores = json.loads(run("evaluate", out, "--metric", "auroc", "--json"))
    assert scores["auroc"]["ceiling"] == 1.0
    assert scores["auroc"]["null"] == pytest.approx(0.5, abs=0.05)


def test_the_batch_size_changes_neither_maps_nor_scores(train, tmp_path):
    scores = []
    for name, options in (("default", ()), ("small", ("--batch-size", "3"))):
        run("explain", train, BOXES, "--method", "occlusion", "--limit", "5", "--out", tmp_path / name, *options)
        scores.append(json.loads(run("evaluate", tmp_path / name, "--metric", "deletion", "--json", *options)))
    assert scores[0]["deletion"]["value"] == pytest.approx(scores[1]["deletion"]["value"], abs=1e-5)


def test_texts_are_trained_explained_and_evaluated_by_name(tmp_path):
    reviews = "planted_text:train=40,validation=10,test=12"
    run("train", "small_deep_lstm:hidden_size=4,layers=2,embedding_size=3", reviews, "--out", tmp_path / "run", *QUICK)
    assert (tmp_path / "run/seed-00000/vocabulary.txt").read_text().startswith("<unk>\n<pad>\n")
    out = tmp_path / "maps"
    run("explain", tmp_path / "run", reviews, "--method", "input_x_gradient", "--limit", "8", "--out", out)
    ((count, least),) = duckdb.sql(
        f"select count(*), min(len(attribution) - 3 * length) from '{out}/maps/*.parquet'"
    ).fetchall()
    assert (count, least) == (8, 0)
    scores = json.loads(run("evaluate", out, "--metric", "auroc", "--json"))
    assert scores["auroc"]["ceiling"] == 1.0
    assert scores["auroc"]["null"] == pytest.approx(0.5, abs=0.05)


def test_explain_resumes_and_changes_nothing(train, tmp_path):
    out = tmp_path / "maps"
    run("explain", train, BOXES, "--out", out)
    part = out / "maps/part-00000.parquet"
    before = part.read_bytes()
    part.unlink()
    run("explain", train, BOXES, "--out", out)
    assert part.read_bytes() == before


def test_maps_that_are_incomplete_are_evaluated_with_a_warning(train, tmp_path):
    run("explain", train, BOXES, "--out", tmp_path)
    (tmp_path / "maps/part-00000.parquet").unlink()
    with pytest.warns(UserWarning, match="0 of 1 parts are explained"):
        message = run("evaluate", tmp_path, "--metric", "auroc", code=4)
    assert "holds no parts" in message


def test_another_run_in_the_same_folder_is_refused(train, tmp_path):
    run("explain", train, BOXES, "--out", tmp_path)
    message = run("explain", train, BOXES, "--method", "gradient", "--out", tmp_path, code=4)
    assert "method is 'saliency' there and 'gradient' here" in message


def test_audit_writes_a_page_and_report_renders_it_again(train, tmp_path):
    arguments = ("audit", train, BOXES, "--method", "saliency", "--out", tmp_path / "audit")
    record = json.loads(run(*arguments, "--compare", "gru:hidden_size=4", *QUICK, "--json"))
    assert [model["name"] for model in record["models"]] == [str(train), "gru:hidden_size=4"]
    page = tmp_path / "audit/report.html"
    first = page.read_bytes()
    page.unlink()
    assert str(page) in run("report", tmp_path / "audit")
    assert page.read_bytes() == first
    assert b"Does the explanation reach back in time?" in first


def test_a_requirement_that_is_not_met_sets_the_exit_code(train, tmp_path):
    arguments = ("audit", train, BOXES, "--method", "random", "--samples", "10", "--out", tmp_path / "audit")
    record = json.loads(run(*arguments, "--require", "down_to_input=yes", "--json", code=1))
    (model,) = record["models"]
    answer = model["methods"][0]["verdicts"]["down_to_input"]["answer"]
    assert record["unmet"] == [f"{train}, random: down_to_input is '{answer}', required 'yes'"]
    run(*arguments, "--require", f"down_to_input={answer}", "--require", "across_runs=not tested")
    assert (tmp_path / "audit/badge.svg").read_text().startswith("<svg ")
    assert "'sure' is no answer" in run(*arguments, "--require", "down_to_input=sure", code=3)
    assert "has no answer" in run(*arguments, "--require", "down_to_input", code=3)
    assert "no question 'over_tiem'" in run(*arguments, "--require", "over_tiem=fades", code=3)


def test_a_method_that_must_see_samples_is_fitted_before_it_explains_and_is_evaluated(train, tmp_path):
    method, out = "input_iba:steps=2,copies=2,read_out=bits", tmp_path / "maps"
    run("explain", train, BOXES, "--method", method, "--limit", "6", "--out", out)
    scores = json.loads(run("evaluate", out, "--metric", "parameter_randomisation:stages=1", "--json"))
    assert scores["parameter_randomisation:stages=1"]["null"] == 1.0
    assert scores["parameter_randomisation:stages=1"]["value"] < 1.0


def test_audit_by_a_method_that_must_see_samples(train, tmp_path):
    arguments = ("audit", train, BOXES, "--method", "input_iba:steps=2,copies=2", "--samples", "8")
    record = json.loads(run(*arguments, "--out", tmp_path / "audit", "--json"))
    assert [score["number"]["name"] for score in record["scores"]][-1].startswith("parameter_randomisation")


def test_a_method_that_cannot_explain_the_model_is_named_before_training(tmp_path):
    out = tmp_path / "audit"
    message = run("audit", "lstm:hidden_size=4", BOXES, "--method", "grad_cam", "--out", out, code=3)
    assert "Remedy" in message
    assert not out.exists()


def test_audit_of_arrays_with_hostile_names(tmp_path, generator):
    rng = np.random.default_rng(0)
    label = np.arange(60) % 2
    hostile = "<script>alert(1)</script>"
    inputs = rng.normal(size=(60, 8, 2)).astype(np.float32) + label[:, None, None]
    np.savez(tmp_path / "own.npz", inputs=inputs, label=label, classes=np.array(["a", hostile]))
    run("audit", "gru:hidden_size=4", tmp_path / "own.npz", "--method", "saliency", "--out", tmp_path / "run", *QUICK)
    page = (tmp_path / "run/report.html").read_text()
    assert hostile not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        (("train", "lsmt", BOXES), 3, "did you mean 'lstm'"),
        (("train", "lstm", "boxs"), 3, "did you mean 'boxes'"),
        (("train", "lstm", "boxes:variant=early"), 3, "variant"),
        (("train", "lstm", "nowhere.npz"), 3, "nowhere.npz"),
        (("train", "lstm", BOXES, "--train-settings", "epoch=3"), 3, "did you mean 'epochs'"),
        (("explain", "no/where", BOXES), 4, "holds no trained model"),
        (("explain", "lsmt", BOXES), 3, "did you mean 'lstm'"),
        (("evaluate", "nowhere"), 4, "not a run folder"),
        (("report", "nowhere"), 4, "not a run folder"),
        (("study", "box_salience"), 3, "did you mean 'box_saliency'"),
        (("list", "occlusio"), 3, "did you mean 'occlusion'"),
        (("cite", "nothing_like_it"), 3, "perdure list"),
    ],
)
def test_wrong_words_get_a_named_error(arguments, code, cause, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cause in run(*arguments, code=code)


def test_an_unknown_method_is_named_before_anything_is_explained(train, tmp_path):
    assert "did you mean 'gradient'" in run(
        "explain", train, BOXES, "--method", "gradeint", "--out", tmp_path / "x", code=3
    )
    assert not (tmp_path / "x").exists()


def test_list_and_cite():
    result = json.loads(run("list", "methods", "--json"))["methods"]
    assert {"saliency", "integrated_gradients", "occlusion"} <= {entry["name"] for entry in result}
    assert "lstm_input_cell_attention" in run("list", "models")
    assert "tolerance" in run("list", "integrated_gradients")
    assert "Sundararajan" in run("cite", "integrated_gradients")


def test_a_thing_shows_its_paper_and_the_choices_of_its_settings():
    text = run("list", "integrated_gradients")
    assert text.startswith("integrated_gradients, of methods: Average the gradient on the way")
    assert "paper: sundararajan2017axiomatic" in text
    assert "zero | mean | blur | noise" in text
    result = {
        item["name"]: item for item in json.loads(run("list", "shapley_sampling", "--json"))["methods"]["settings"]
    }
    assert result["granularity"] == {"name": "granularity", "choices": "position | element", "default": "position"}
    assert result["window"]["choices"] == "int | None"


def test_every_listed_name_has_a_description_and_a_citation():
    for kind, entries in json.loads(run("list", "--json")).items():
        for entry in entries:
            assert json.loads(run("list", entry["name"], "--json"))[kind]["summary"] == entry["summary"]
    settings = {item["name"]: item for item in json.loads(run("list", "gru", "--json"))["models"]["settings"]}
    assert settings["cell"] == {"name": "cell", "choices": "rnn | gru | lstm", "default": "gru"}
    assert "lin2017selfattentive" in run("cite", "attention")
    assert "@" in run("cite", "resnet50")


def test_errors_go_to_stderr_without_a_traceback():
    command = [sys.executable, "-m", "perdure", "cite", "nothing_like_it"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 3
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("perdure: nothing is called")
    assert "Traceback" not in outcome.stderr


def test_a_warning_is_printed_once(capsys):
    print_warning = cli._make_warning_printer()
    for text in ("padding is read", "padding is read", "something else"):
        print_warning(UserWarning(text), UserWarning, "file", 1)
    assert capsys.readouterr().err.splitlines() == [
        "perdure: warning: padding is read",
        "perdure: warning: something else",
    ]


@pytest.mark.parametrize(
    ("former", "present"),
    [
        (("--changes", "epochs=1"), "--train-settings"),
        (("--setting=clean",), "--preset"),
        (("--explained", "label"), "--explain-class"),
    ],
)
def test_former_names_of_options_work_with_a_warning(former, present, tmp_path):
    with pytest.warns(DeprecationWarning, match=f"option {former[0].partition('=')[0]} is now called {present}"):
        run("explain", "lstm:hidden_size=2", BOXES, "--limit", "1", "--out", tmp_path, *QUICK, *former)


def test_a_former_option_of_another_command_is_an_error():
    assert "No such option" in CliRunner().invoke(cli.app, ["evaluate", "x", "--setting", "clean"]).output


def test_users_see_the_warnings_about_former_names(train, tmp_path):
    run("explain", train, BOXES, "--limit", "4", "--out", tmp_path)
    command = [sys.executable, "-m", "perdure", "evaluate", tmp_path, "--metric", "roc", "--json"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "perdure: warning: the metric 'roc' is now called 'auroc'" in outcome.stderr
    assert list(json.loads(outcome.stdout)) == ["auroc"]
    command = [sys.executable, "-m", "perdure", "explain", train, BOXES, "--explained", "label", "--out", tmp_path]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "perdure: warning: the option --explained is now called --explain-class" in outcome.stderr


def count_rows(monkeypatch):
    """Record the rows of each call of a recurrent network."""
    rows, forward = [], torch.nn.LSTM.forward

    def count_values(module, x, *rest):
        rows.append(x.shape[0])
        return forward(module, x, *rest)

    monkeypatch.setattr(torch.nn.LSTM, "forward", count_values)
    return rows


@pytest.mark.parametrize("command", ["audit", "reproduce", "path", "explain"])
def test_the_batch_size_bounds_every_call_and_changes_no_identity(command, train, tmp_path, monkeypatch):
    few = ("--method", "gradient", "--out", tmp_path / "run", "--json")
    if command in ("path", "reproduce"):
        run("train", "lstm:hidden_size=4", BOXES, "--seeds", "2", "--out", tmp_path / "two", *QUICK)
    arguments = {
        "audit": (train, BOXES, "--samples", "8"),
        "reproduce": (tmp_path / "two", BOXES, "--samples", "8"),
        "path": (*(tmp_path / f"two/seed-0000{i}" for i in range(2)), "--kind", "linear", "--points", "3"),
        "explain": (train, BOXES),
    }[command]
    rows = count_rows(monkeypatch)
    run(command, *arguments, *few, "--batch-size", "3")
    assert set(rows) <= {1, 2, 3}
    assert 3 in rows
    run(command, *arguments, *few)  # the same run, which is finished


def test_an_interrupt_names_the_command_that_resumes(monkeypatch, capsys):
    app = typer.Typer()

    @app.command()
    def work():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["perdure"])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert "run the same command again to resume" in capsys.readouterr().err


def test_one_metric_with_two_settings_has_two_names(train, tmp_path):
    out = tmp_path / "explained"
    run("explain", train, BOXES, "--limit", "4", "--out", out)
    requested = ("--metric", "auroc", "--metric", "auroc:absolute=false", "--metric", "insertion:points=4,share=0.5")
    result = json.loads(run("evaluate", out, *requested, "--json"))
    assert set(result) == {"auroc", "auroc:absolute=false", "insertion:points=4,share=0.5"}
    assert all(number["name"] == name for name, number in result.items())
    assert "auroc:absolute=false" in run("evaluate", out, *requested)
