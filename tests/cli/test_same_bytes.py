"""Two runs of the same command write the same bytes, but for their files of times."""

import subprocess
import sys

import pytest

from perdure.records.times import TIMES

DATA = "boxes:size=20,train=60,validation=20,test=16"
LITTLE = ("--train-settings", "epochs=2")


def run(*arguments):
    """Run the command line in its own process."""
    subprocess.run([sys.executable, "-m", "perdure", *map(str, arguments)], check=True, capture_output=True)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != TIMES
    }


def check_same(first, second):
    names = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    assert names == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["audit", "reproduce", "path"])
def test_a_repeated_command_writes_the_same_bytes(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("train", "gru:hidden_size=4", DATA, "--seeds", "2", *LITTLE, "--out", tmp_path / "runs")
    seeds = [tmp_path / "runs" / f"seed-0000{seed}" for seed in (0, 1)]
    arguments = {
        "audit": ("gru:hidden_size=4", DATA, "--samples", "8", *LITTLE),
        "reproduce": (tmp_path / "runs", DATA, "--samples", "8"),
        "path": (*seeds, "--samples", "8", "--points", "3"),
    }[command]
    for name in ("first", "second"):
        run(command, *arguments, "--out", tmp_path / name)
    check_same(contents(tmp_path / "first"), contents(tmp_path / "second"))
