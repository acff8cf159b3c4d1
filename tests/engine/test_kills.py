"""Killed at any moment and started again, an explaining run has the bytes of an undisturbed one."""

import signal
import subprocess
import sys
import time

import pytest

from tests.engine.slow_explain import SHARDS, run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kill_after(folder, workers, parts):
    """Start the run, kill it as soon as there are so many parts, and wait until its workers are gone too."""
    command = [sys.executable, "-m", "tests.engine.slow_explain", str(folder), str(workers)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while len(list((folder / "maps").glob("part-*"))) < parts and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.stderr.read()  # ends when the last process that holds the pipe does
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_lost_or_doubled_by_a_kill(tmp_path, workers):
    kill_after(tmp_path / "killed", workers, 3)
    left = len(list((tmp_path / "killed" / "maps").glob("part-*")))
    assert 3 <= left < SHARDS
    run(tmp_path / "killed", 1)
    run(tmp_path / "whole", 1)
    assert contents(tmp_path / "killed" / "maps") == contents(tmp_path / "whole" / "maps")
    assert len(contents(tmp_path / "whole" / "maps")) == SHARDS
