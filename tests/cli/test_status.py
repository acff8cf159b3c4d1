"""`perdure status` on what the commands of a user leave behind."""

import json
import shlex

import pytest
import typer
from typer.testing import CliRunner

from perdure.cli.folder import keep_plan
from perdure.records.plan import FOLDER, read_plans
from tests.cli.shell import run

DATA = "boxes:train=20,validation=10,test=20"
MODEL = ("lstm:hidden_size=4", DATA, "--train-settings", "epochs=1")


def steps(folder):
    result = json.loads(run("status", folder, "--json"))
    return result, {s["name"]: (s["done"], s["of"]) for item in result["commands"] for s in item["steps"]}


@pytest.mark.parametrize("store", ["{}/run", "memory://{}/run"])
def test_what_is_left_is_done_by_the_command_that_is_named(store, tmp_path):
    folder = store.format(tmp_path if store[0] == "{" else tmp_path.name)
    run("explain", *MODEL, "--limit", 10, "--json", "--out", folder)
    run("evaluate", folder, "--metric", "vanishing")
    result, done = steps(folder)
    assert result["kind"] == "explain"
    assert result["left"] is None
    assert done == {"training": (1, 1), "maps": (1, 1), "scores by vanishing": (1, 1)}
    line = result["commands"][0]["line"]
    assert line == f"perdure explain {MODEL[0]} {DATA} --limit 10 --train-settings epochs=1 --out {folder}"
    run(*shlex.split(line)[1:])
    assert "nothing is left to do" in run("status", folder)


def test_a_part_that_is_gone_is_left_to_be_done(tmp_path):
    run("explain", *MODEL, "--out", tmp_path)
    (tmp_path / "maps/part-00000.parquet").unlink()
    result, done = steps(tmp_path)
    assert done["maps"] == (0, 1)
    run(*shlex.split(result["left"])[1:])
    assert steps(tmp_path)[0]["left"] is None


def test_flags_and_repeated_options_are_kept_and_what_was_not_given_is_not(tmp_path):
    app = typer.Typer()

    @app.command("go")
    def go(
        context: typer.Context, names: list[str] | None = None, align: bool = True, deep: bool = False, seed: int = 0
    ):
        keep_plan(context, tmp_path)

    CliRunner().invoke(app, ["--names", "a b", "--names", "c", "--no-align"], catch_exceptions=False)
    (plan,) = read_plans(tmp_path)
    assert plan.words[1:] == ("--names", "a b", "--names", "c", "--no-align", "--out", FOLDER)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    assert "is not a run folder" in run("status", tmp_path, code=4)
    assert "is not a run folder" in run("status", "memory://nothing/here", code=4)
