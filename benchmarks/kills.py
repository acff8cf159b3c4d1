"""`perdure explain` killed at random moments and started again, compared with an undisturbed run."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Row

KILLS = 20
MODEL = ("lstm:hidden_size=16", "boxes:size=60,train=40,validation=20,test=1280")
SETTINGS = ("--train-settings", "epochs=1", "--method", "integrated_gradients")


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        _command(whole, 1).wait()
        return [_row(Path(folder) / str(workers), whole / "maps", workers) for workers in (1, 2)]


def _row(folder: Path, whole: Path, workers: int) -> Row:
    """Kill until it was done often enough; a run that ends before its moment is begun anew."""
    draws, kills, damaged = random.Random(workers), 0, 0
    while kills < KILLS:
        parts = draws.randrange(len(_contents(whole)))
        kills += _kill(folder, workers, parts, draws.uniform(0, 0.2))
        if len(_contents(folder / "maps")) == len(_contents(whole)) or kills == KILLS:
            _command(folder, workers).wait()
            damaged += _contents(folder / "maps") != _contents(whole)
            shutil.rmtree(folder)
    case = f"{len(_contents(whole))} parts, {workers} process{'es' * (workers > 1)}, {KILLS} kills"
    return Row("runs that differ after kill -9 and resume", case, damaged, 0, damaged, "0", damaged == 0, "runs")


def _kill(folder: Path, workers: int, parts: int, seconds: float) -> bool:
    """Kill a run some seconds after it has so many parts; return whether it was still running."""
    with _command(folder, workers) as process:
        while process.poll() is None and len(_contents(folder / "maps")) < parts:
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def _command(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    arguments = ("explain", *MODEL, *SETTINGS, "--workers", str(workers), "--out", str(folder))
    entry = "from perdure.cli.main import main; main()"
    return subprocess.Popen([sys.executable, "-c", entry, *arguments], stdout=subprocess.DEVNULL)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("part-*.parquet")}
