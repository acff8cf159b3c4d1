"""Ends of a command: signals with and without workers, and outputs that cannot be written."""

import logging
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
import typer

from perdure.cli import main as cli
from perdure.core.errors import UnsupportedError, user_code_errors

LINE = "What is finished is kept; run the same command again to resume.\n"
ENDS = {"SIGINT": (130, "interrupted"), "SIGTERM": (143, "ended by SIGTERM"), "SIGHUP": (129, "ended by SIGHUP")}


@pytest.fixture
def main(monkeypatch):
    """Run the command line with one command, in this process; its settings are restored."""
    for owner, name in ((sys, "excepthook"), (warnings, "showwarning"), (logging, "_logRecordFactory")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(sys, "argv", ["perdure"])

    def run(work):
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(work)
        monkeypatch.setattr(cli, "app", app)
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code

    return run


@pytest.mark.parametrize("name", ENDS)
def test_a_signal_ends_a_command_in_one_line(main, capsys, name):
    before = signal.getsignal(getattr(signal, name))

    def work():
        with user_code_errors(UnsupportedError, "the model", "mend it"):
            os.kill(os.getpid(), getattr(signal, name))
            time.sleep(5)

    code, cause = ENDS[name]
    assert main(work) == code
    error = capsys.readouterr().err
    assert error.startswith(f"perdure: {cause}")
    assert error.endswith(LINE)
    assert error.count("\n") == 1
    assert signal.getsignal(getattr(signal, name)) == before


def test_a_signal_that_is_ignored_stays_ignored(main):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(lambda: os.kill(os.getpid(), signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("allocate", [lambda: torch.empty(2**58), lambda: np.empty(2**58), lambda: bytearray(2**62)])
def test_an_allocation_that_fails_ends_a_command_in_one_line(main, capsys, allocate):
    assert main(allocate) == 3
    error = capsys.readouterr().err
    assert error.startswith("perdure: there is not enough memory: ")
    assert "Remedy: compute fewer rows in a call (batch_size, --batch-size)" in error
    assert error.count("\n") == 1


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "perdure", *map(str, arguments)], text=True, start_new_session=True, **options
    )


def test_a_pipe_that_ends_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    process = start("list", "methods", stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (process.communicate()[1], process.returncode) == ("", 141)


@pytest.mark.slow
def test_an_error_without_stderr_has_its_exit_code():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = start("list", "nosuch", stdout=subprocess.PIPE, stderr=full)
        process.communicate()
    assert process.returncode == 3


def wait_for(folder, pattern, process):
    while not list(folder.glob(pattern)):
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("to_group", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", ENDS)
def test_a_signal_ends_workers_and_keeps_what_is_finished(tmp_path, name, workers, to_group):
    """A terminal sends Ctrl-C to the group, a supervisor often SIGTERM too; the workers end with the command."""
    arguments = ("train", "lstm", "boxes", "--seeds", 4, "--workers", workers, "--train-settings", "epochs=1")
    process = start(*arguments, "--out", tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(tmp_path, "**/model.safetensors", process)
    (os.killpg if to_group else os.kill)(process.pid, getattr(signal, name))
    _, error = process.communicate(timeout=120)  # ends when the last process that holds the pipe does
    code, cause = ENDS[name]
    assert (process.returncode, error.count("\n")) == (code, 1), error
    assert error.startswith(f"perdure: {cause}")
    kept = {path: path.read_bytes() for path in tmp_path.glob("**/model.safetensors")}
    assert kept
    again = start(*arguments, "--out", tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, error = again.communicate(timeout=400)
    assert again.returncode == 0, error
    assert all(path.read_bytes() == stored for path, stored in kept.items())
