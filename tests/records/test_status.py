"""The status of a run folder, in any state."""

import subprocess
import sys

import pyarrow as pa
import pytest

from perdure.core.errors import RunFolderError
from perdure.records.files import write_text
from perdure.records.parts import write_part
from perdure.records.place import place
from perdure.records.plan import FOLDER, ExpectedFiles, Plan, read_plans, write_plan
from perdure.records.run import open_run
from perdure.records.status import read_status

MAPS = Plan(("explain", "lstm", "my data.csv", "--out", FOLDER), (ExpectedFiles("maps", "maps/part-*.parquet", 3),))
PAGE = Plan(("evaluate", FOLDER), (ExpectedFiles("page", "report.html"),))
TABLE = pa.table({"value": [1.0]})


@pytest.fixture(params=["local", "store"])
def folder(request, tmp_path):
    path = tmp_path / "a" if request.param == "local" else place(f"memory://{tmp_path.name}")
    return open_run(path, {"data": "boxes"}).path


def test_parts_are_counted_and_the_first_unfinished_command_is_the_one_to_resume(folder):
    write_plan(folder, MAPS)
    write_plan(folder, PAGE)
    for part in (0, 2):
        write_part(folder / "maps", part, TABLE)
    write_part(folder / "maps" / "deeper", 1, TABLE)  # which the pattern does not mean
    status = read_status(folder)
    assert status.kind == "explain"
    assert [(step.done, step.of, step.finished) for command in status.commands for step in command.steps] == [
        (2, 3, False),
        (0, 1, False),
    ]
    assert status.left == f"perdure explain lstm 'my data.csv' --out {folder}"
    write_part(folder / "maps", 1, TABLE)
    assert read_status(folder).left == f"perdure evaluate {folder}"
    write_text(folder / "report.html", "x")
    status = read_status(folder)
    assert status.left is None
    assert status.pictures == ("report.html",)


def test_a_damaged_part_is_not_done_and_is_named(folder):
    write_plan(folder, MAPS)
    whole = write_part(folder / "maps", 0, TABLE).read_bytes()
    (folder / "maps/part-00001.parquet").write_bytes(whole[:20])
    status = read_status(folder)
    assert status.commands[0].steps[0].done == 1
    assert list(status.failures) == ["maps/part-00001.parquet"]


def test_a_failed_training_is_named_and_not_waited_for(folder):
    write_plan(folder, Plan(("reproduce", "lstm"), (ExpectedFiles("trainings", "runs/seed-*/model.yaml", 2),)))
    write_text(folder / "runs/seed-00000/model.yaml", "x")
    write_text(folder / "runs/seed-00001/failed.txt", "the loss is NaN\nand more\n")
    status = read_status(folder)
    (step,) = status.commands[0].steps
    assert (step.done, step.failed, step.finished) == (1, 1, True)
    assert status.failures == {"runs/seed-00001": "the loss is NaN"}


def test_when_something_was_written_is_reported(tmp_path):
    open_run(tmp_path, {})
    status = read_status(tmp_path)
    assert status.kind is None
    assert status.written >= status.run.created


def test_a_repeated_command_replaces_only_its_plan(folder):
    more = Plan(("explain", "gru"), (ExpectedFiles("maps", "maps/part-*.parquet", 9),))
    for plan in (MAPS, PAGE, more):
        write_plan(folder, plan)
    assert read_plans(folder) == (more, PAGE)


@pytest.mark.parametrize("text", ["- 1", "a: [", "- {words: [], wanted: []}", "- {words: [a]}", "3"])
def test_a_changed_plan_is_named(folder, text):
    write_text(folder / "plan.yaml", text)
    with pytest.raises(RunFolderError, match=r"plan\.yaml was not written by perdure"):
        read_status(folder)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(RunFolderError, match="is not a run folder"):
        read_status(tmp_path)


def test_looking_does_without_torch():
    code = "import sys, perdure.records.status; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
