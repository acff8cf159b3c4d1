"""Two processes with the same command in one folder: the bytes of one, and no error but that of the lock."""

import subprocess
import sys
import time

import pytest

from tests.cli.test_same_bytes import contents

MODEL, DATA = "gru:hidden_size=4", "boxes:size=20,train=60,validation=20,test=16"
LITTLE = ("--train-settings", "epochs=1")
LOCK = "is in use: "
DELAYS = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0, 1.5, 2.5)


def start(arguments, out):
    line = [sys.executable, "-m", "perdure", *map(str, arguments), "--out", str(out)]
    return subprocess.Popen(line, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    """Wait for a process; give its exit code, after any error but that of the lock failed the test."""
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0 or (process.returncode == 4 and LOCK in error), error
    return process.returncode


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "runs"
    assert finish(start(("train", MODEL, DATA, "--seeds", 2, *LITTLE), folder)) == 0
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("command", "pairs"), [("explain", 8), ("reproduce", 4), ("audit", 4)])
def test_a_pair_of_processes_writes_the_bytes_of_one(command, pairs, runs, tmp_path):
    arguments = {
        "explain": ("explain", runs / "seed-00000", DATA, "--split", "train", "--method", "occlusion"),
        "reproduce": ("reproduce", runs, DATA, "--samples", 8),
        "audit": ("audit", MODEL, DATA, "--samples", 8, *LITTLE),
    }[command]
    assert finish(start(arguments, tmp_path / "alone")) == 0
    expected = contents(tmp_path / "alone")
    for number, delay in enumerate(DELAYS[:: len(DELAYS) // pairs]):
        folder = tmp_path / str(number)
        first = start(arguments, folder)
        time.sleep(delay)
        second = start(arguments, folder)
        codes = {finish(first), finish(second)}
        assert 0 in codes
        assert contents(folder) == expected
