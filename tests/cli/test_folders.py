"""Folders and terminals: the default name of a run, damaged and misplaced folders, and what reaches the terminal."""

import json
import logging
import os
import random
import shutil
import subprocess
import sys
import warnings

import pytest
import typer

from perdure.cli import main as cli
from perdure.cli.console import (
    guard_terminal,
    print_json,
    print_line,
    print_table,
    printable,
    report_defect,
    show_progress,
    warn,
)
from perdure.core.errors import PartError, RunFolderError
from perdure.records.attributions import read_attributions
from perdure.records.run import open_run, read_run
from tests.cli.shell import run

BOXES = "boxes:variant=middle,size=20,train=40,validation=20,test=20"
QUICK = ("--train-settings", "epochs=1")
RED = "\x1b[31mred\x07\u202e\udc80"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Give a run folder of each command."""
    base = tmp_path_factory.mktemp("runs")
    run("train", "lstm:hidden_size=4", BOXES, "--out", base / "train", "--seeds", "2", *QUICK)
    item = base / "train/seed-00000"
    run("explain", item, BOXES, "--method", "gradient", "--out", base / "explain")
    run("evaluate", base / "explain", "--metric", "auroc")
    run("audit", item, BOXES, "--method", "gradient", "--samples", "6", "--out", base / "audit")
    run("reproduce", base / "train", BOXES, "--method", "gradient", "--samples", "6", "--out", base / "reproduce")
    kinds = ("--kind", "linear", "--method", "gradient", "--points", "3", "--samples", "6")
    run("path", item, base / "train/seed-00001", BOXES, *kinds, "--out", base / "path")
    return base


# what reaches the terminal


def test_no_control_character_of_a_name_reaches_the_terminal(capsys, monkeypatch):
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    guard_terminal()
    print_line(f"see {RED}")
    warn(f"perdure: '{RED}'")
    print_table(RED, (RED, "b"), [(RED, RED)])
    print_json({RED: RED})
    cli._make_warning_printer()(UserWarning(RED), UserWarning, "file", 1)
    report_defect(ValueError, ValueError(RED), None)
    print(logging.getLogRecordFactory()("n", logging.INFO, "f", 1, "read %s", (RED,), None).getMessage())  # noqa: T201
    with show_progress(RED) as progress:
        progress(1, 1)
    shown = "".join(capsys.readouterr())
    assert not set("\x1b\x07\u202e\udc80") & set(shown)
    assert shown.count("[31mred") == 11


def test_scripts_pictograms_and_line_breaks_are_kept():
    text = "Größe\u00a03\u3000\u0645\u06cc\u200c\u062e 👩\u200d🔬\nnext\tcell"
    assert printable(text) == text


def test_names_of_a_received_folder_are_printed_without_control_characters(runs, tmp_path):
    shutil.copytree(runs / "explain", tmp_path / "run")
    (tmp_path / "run/\x1b[31mred.png").touch()
    assert "see" in run("status", tmp_path / "run")
    assert "\x1b" not in run("status", tmp_path / "run")


def perdure(*arguments, **options):
    command = [sys.executable, "-m", "perdure", *map(str, arguments)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


def test_a_full_or_closed_output_is_named():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        outcome = perdure("list", "methods", stdout=full)
    assert (outcome.returncode, "Traceback" in outcome.stderr) == (4, False)
    assert "the standard output cannot be written: No space left on device. Remedy" in outcome.stderr
    outcome = perdure("list", "methods", preexec_fn=lambda: os.close(1))
    assert outcome.returncode == 4
    assert "the standard output is closed. Remedy" in outcome.stderr


def test_an_unforeseen_error_is_printed_without_control_characters(monkeypatch, capsys):
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def work():
        raise ZeroDivisionError(RED)

    for name, value in (("app", app), ("INTERRUPTED", 130)):
        monkeypatch.setattr(cli, name, value)
    monkeypatch.setattr(sys, "argv", ["perdure"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    with pytest.raises(ZeroDivisionError) as error:
        cli.main()
    sys.excepthook(error.type, error.value, error.tb)
    assert "\x1b" not in capsys.readouterr().err


def test_a_setting_that_a_remedy_names_is_shown_as_the_command_line_takes_it(tmp_path):
    (tmp_path / "d.csv").write_text("a,b,label\n1,x y,0\n2,z,1\n")
    outcome = perdure("train", "lstm", tmp_path / "d.csv")
    assert outcome.returncode == 3
    assert "Remedy" in outcome.stderr
    assert "On the command line: NAME:ignore=value" in outcome.stderr


# default folders

LSTM = ("lstm:hidden_size=4", BOXES)
COMMON = (("--seed", "1"), ("--preset", "paper"), ("--train-settings", "epochs=7"), ("--method", "occlusion"))
VARIANTS = {
    "explain": (
        *(LSTM, COMMON, "explain-lstm-hidden_size=4-boxes-variant=middle-size=20-train=40-validation=20-test=20-"),
        (("--weights", "{train}/seed-00000"), ("--weights", "{train}/seed-00001"), ("--split", "train")),
        (("--limit", "3"), ("--explain-class", "label"), ("--target", "probability")),
    ),
    "audit": (
        *(LSTM, COMMON, "audit-lstm-hidden_size=4-boxes-"),
        (("--weights", "{train}/seed-00000"), ("--compare", "gru:hidden_size=4"), ("--metric", "insertion")),
        (("--samples", "3"),),
    ),
    "train": (LSTM, COMMON[:3], "train-lstm-hidden_size=4-boxes-"),
    "reproduce": (
        *(LSTM, COMMON, "reproduce-lstm-hidden_size=4-boxes-"),
        (("--runs", "3"), ("--vary", "bootstrap"), ("--samples", "3"), ("--top", "2")),
    ),
    "path": (
        *(("{train}/seed-00000", "{train}/seed-00001"), (COMMON[0], COMMON[3]), "path-"),
        ((BOXES.replace("test=20", "test=30"),), ("--kind", "linear"), ("--allowed", "0.1"), ("--no-align",)),
        (("--points", "5"), ("--samples", "3")),
    ),
    "study": (("box_saliency",), (), "box_saliency", (("--seeds", "2"), ("--smoke",), ("--smoke", "--seeds", "2"))),
}
SAME = {
    "explain": (("--workers", "2"), ("--seed", "0"), ("--method", "saliency")),
    "audit": (("--runs", "3"), ("--samples", "128"), ("--seed", "0")),
    "train": (("--seeds", "3"), ("--preset", "clean")),
    "reproduce": (("--runs", "8"), ("--vary", "seed")),
    "path": (("--minutes", "1"), ("--align",), ("--kind", "linear", "--kind", "bezier", "--kind", "valley")),
    "study": (("--workers", "1"),),
}
"""Options by which a run is extended or computed elsewhere, and defaults that are written out."""


class Opened(Exception):
    pass


def open_run_values(command, arguments, monkeypatch):
    """Give the folder and the settings with which a command opens its run."""

    def stop(folder, config):
        raise Opened(str(folder), json.dumps(config, sort_keys=True, default=str))

    monkeypatch.setattr("perdure.records.run.open_run", stop)
    with pytest.raises(Opened) as error:
        run(command, *arguments)
    return error.value.args


@pytest.mark.parametrize("command", VARIANTS)
def test_runs_with_other_settings_have_other_default_folders(command, runs, monkeypatch):
    (arguments, common, name, *groups) = VARIANTS[command]
    base = [word.format(train=runs / "train") for word in arguments]
    folder, config = open_run_values(command, base, monkeypatch)
    assert folder.startswith(f"runs/{name}")
    folders, configs = [folder], [config]
    for words in (*common, *(word for group in groups for word in group)):
        other = open_run_values(command, [*base, *(word.format(train=runs / "train") for word in words)], monkeypatch)
        folders.append(other[0])
        configs.append(other[1])
    assert len(set(folders)) == len(folders) == len(set(configs))
    for words in SAME[command]:
        assert open_run_values(command, [*base, *words], monkeypatch) == (folder, config)


def test_a_long_name_is_one_that_file_systems_take(runs, monkeypatch):
    compared = [word for size in range(5, 40) for word in ("--compare", f"lstm:hidden_size={size}")]
    names = [open_run_values("audit", (*LSTM, *compared[:end]), monkeypatch)[0] for end in (-2, None)]
    assert len(set(names)) == 2
    assert all(len(name) < 200 for name in names)


# folders that are not what a command reads


def test_maps_are_found_in_a_run_and_in_its_maps(runs):
    (maps,) = read_attributions(runs / "explain")
    (same,) = read_attributions(str(runs / "explain/maps"))
    assert maps.id == same.id
    assert (maps.attribution.values == same.attribution.values).all()


@pytest.mark.parametrize(
    ("folder", "cause", "remedy"),
    [
        ("", "holds no maps", "give the folder in it: {}/explain/maps"),
        ("reproduce", "holds no maps: it is the folder of a run", "give one of the folders in it: "),
        ("train", "holds no maps: it is the folder of a run", "give the folder that an earlier command wrote"),
        ("explain/run.yaml", "holds no maps: it is a file", "check the path"),
        ("explain/scores", "holds no maps", "check the path"),
        ("explain/scores/auroc", "holds no attributions", "'perdure explain'"),
        ("nowhere", "holds no maps: there is no such folder", "check the path"),
        ("a" * 300, "cannot be read: File name too long", "check the path"),
    ],
)
def test_a_folder_without_maps_is_named(runs, folder, cause, remedy):
    with pytest.raises((PartError, RunFolderError)) as error:
        read_attributions(runs / folder)
    assert cause in error.value.cause
    assert remedy.format(runs) in error.value.remedy


@pytest.mark.parametrize("command", ["status", "evaluate", "report"])
@pytest.mark.parametrize(
    ("folder", "cause"),
    [
        (
            "",
            "is not a run folder: it holds audit, explain, path and 2 more. Remedy: give one of the folders in it: ",
        ),
        ("explain/maps", "is not a run folder: it holds maps. Remedy: give {}/explain."),
        ("explain/run.yaml", "is not a run folder: it is a file. Remedy: give {}/explain."),
        ("train/seed-00000", "is not a run folder: it is a trained model. Remedy: give {}/train."),
        ("nowhere", "is not a run folder: there is no such folder. Remedy: check the path"),
        ("a" * 300, "cannot be read: File name too long. Remedy: check the path"),
    ],
)
def test_a_folder_that_is_no_run_is_named_with_the_one_that_is_meant(runs, command, folder, cause):
    assert cause.format(runs) in run(command, runs / folder, code=4)


@pytest.mark.parametrize(("kind", "title"), [("explain", "Mean map of each class"), ("train", "Training curves")])
def test_runs_of_explain_and_train_have_a_page(runs, tmp_path, kind, title):
    shutil.copytree(runs / kind, tmp_path / kind)
    assert f"page: {tmp_path / kind}" in run("report", tmp_path / kind)
    assert title in (tmp_path / kind / "report.html").read_text()


def test_a_run_that_has_not_finished_names_the_command_that_finishes_it(runs, tmp_path):
    shutil.copytree(runs / "audit", tmp_path / "audit")
    (tmp_path / "audit/audit.json").unlink()
    message = run("report", tmp_path / "audit", code=4)
    assert "'perdure audit' has not finished" in message
    assert f"run it again: perdure audit {runs}/train/seed-00000 " in message
    open_run(tmp_path / "own", {})
    assert "contains no record of an audit" in run("report", tmp_path / "own", code=4)


@pytest.mark.parametrize("kind", ["train", "audit", "reproduce", "path"])
def test_evaluate_names_the_run_that_holds_no_explanations(runs, kind):
    message = run("evaluate", runs / kind, code=4)
    assert f"is a run of 'perdure {kind}' and holds no explanations" in message


def test_a_trained_model_is_found_in_the_folder_that_is_named(runs, tmp_path):
    assert "give one of the folders in it" in run("path", runs / "train", runs / "train", BOXES, code=4)
    assert "there is no such folder" in run("path", tmp_path / "a", tmp_path / "b", BOXES, code=4)


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", *LSTM, "--out", "{long}"),
        ("explain", "{long}", BOXES),
        ("explain", *LSTM, "--weights", "{long}"),
        ("explain", "lstm", "{long}.npz"),
        ("explain", "lstm", "{long}"),
        ("audit", *LSTM, "--out", "{long}"),
        ("path", "{long}", "b", BOXES),
        ("reproduce", "{long}", BOXES),
        ("reproduce", *LSTM, "--folders", "{long}"),
    ],
)
def test_a_name_that_no_file_can_have_is_named(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [word.format(long="a" * 300) for word in arguments]
    with pytest.raises(cli.PerdureError):
        cli.app(words, standalone_mode=False)


# damaged records


def damage(path, random):
    """Change a file in one of the ways in which files are damaged or forged."""
    data = bytearray(path.read_bytes())
    way = random.randrange(5)
    if way == 0:
        data = data[: random.randrange(len(data))]
    elif way == 1:
        for _ in range(random.randrange(1, 4)):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif way == 2:
        data = bytearray(b"[" * 5000)
    elif way == 3:
        start = random.randrange(len(data))
        data[start : start + 20] = b""
    else:
        lines = data.split(b"\n")
        del lines[random.randrange(len(lines))]
        data = bytearray(b"\n".join(lines))
    path.write_bytes(data)


RECORDS = {
    "audit": ("audit.json", "audit.npz", "run.yaml", "plan.yaml"),
    "reproduce": ("reproduce.json", "reproduce.npz", "run.yaml"),
    "path": ("path.json", "path.npz"),
    "explain": ("run.yaml", "plan.yaml", "maps/part-00000.parquet"),
    "train": ("seed-00000/model.yaml", "seed-00000/model.safetensors", "run.yaml"),
}
READERS = {"audit": ("report",), "reproduce": ("report",), "path": ("report",), "explain": ("status", "evaluate")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", RECORDS)
def test_damaged_records_are_named_and_never_shown(runs, kind, tmp_path):
    """Damage each record 12 times; nothing but named errors comes up, and a page shows nothing that was changed."""
    rng = random.Random(kind)
    page = (runs / kind / "report.html").read_bytes() if kind in READERS and kind != "explain" else b""
    for name in RECORDS[kind]:
        for turn in range(12):
            folder = tmp_path / f"{name.replace('/', '-')}-{turn}"
            shutil.copytree(runs / kind, folder)
            damage(folder / name, rng)
            commands = READERS.get(kind, ("status",))
            lines = [(command, str(folder)) for command in commands]
            if kind == "train":
                lines.append(("explain", str(folder / "seed-00000"), BOXES, "--limit", "1", "--out", str(folder / "x")))
            for line in lines:
                try:
                    cli.app(list(line), standalone_mode=False)
                except cli.PerdureError:
                    continue
                if page and (folder / "report.html").exists() and name.endswith((".json", ".npz")):
                    assert (folder / "report.html").read_bytes() == page
            shutil.rmtree(folder)


def test_numbers_of_a_record_that_were_changed_are_refused(runs, tmp_path):
    shutil.copytree(runs / "audit", tmp_path / "audit")
    path = tmp_path / "audit/audit.json"
    record = json.loads(path.read_text())
    record["models"][0]["accuracy"]["value"] = 1.0
    path.write_text(json.dumps(record, indent=2))
    assert "was changed since it was written. Remedy: run the command again" in run(
        "report", tmp_path / "audit", code=4
    )


@pytest.mark.parametrize("name", ["audit.json", "audit.npz"])
def test_a_record_without_its_arrays_is_named(runs, tmp_path, name):
    shutil.copytree(runs / "audit", tmp_path / "audit")
    (tmp_path / "audit" / name).unlink()
    message = run("report", tmp_path / "audit", code=4)
    assert "audit.npz is missing. Remedy: run the command again" in message or "has not finished" in message


@pytest.mark.parametrize("change", [("method: gradient", "method: occlusion"), ("limit: null", "limit: 3")])
def test_settings_of_a_run_that_were_changed_are_refused(runs, tmp_path, change):
    shutil.copytree(runs / "explain", tmp_path / "run")
    path = tmp_path / "run/run.yaml"
    path.write_text(path.read_text().replace(*change))
    for command in ("status", "evaluate"):
        assert "or was changed since" in run(command, tmp_path / "run", code=4)


@pytest.mark.parametrize(
    "change", [{"limit": "abc"}, {"training": 5}, {"training": {"epoch": 1}}, {"seed": [1]}, {"data": {}}, {"extra": 1}]
)
def test_settings_with_a_right_digest_and_wrong_values_are_refused(runs, tmp_path, change):
    config = dict(read_run(runs / "explain").config)
    shutil.copytree(runs / "explain", tmp_path / "run")
    (tmp_path / "run/run.yaml").unlink()
    (tmp_path / "run").rename(tmp_path / "old")
    open_run(tmp_path / "run", config | change)
    shutil.copy(tmp_path / "old/plan.yaml", tmp_path / "run")
    assert "Remedy: restore run.yaml" in run("evaluate", tmp_path / "run", code=4)


def test_a_note_of_a_failure_in_another_encoding_is_shown(runs, tmp_path):
    shutil.copytree(runs / "train", tmp_path / "run")
    (tmp_path / "run/seed-00007").mkdir()
    (tmp_path / "run/seed-00007/failed.txt").write_bytes(b"loss \xff\n")
    assert "loss \ufffd" in run("status", tmp_path / "run")
