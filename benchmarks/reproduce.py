"""The whole question across runs: eight trainings of attention, all agreement, and the page."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Row

RUNS, WORKERS, TARGET = 8, 2, 15.0
COMMAND = ("reproduce", "attention", "planted_events", "--runs", str(RUNS), "--workers", str(WORKERS))


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "reproduce"
        start = time.perf_counter()
        program = "from perdure.cli.main import main; main()"
        subprocess.run([sys.executable, "-c", program, *COMMAND, "--out", str(out)], check=True, capture_output=True)
        minutes = (time.perf_counter() - start) / 60
        page = (out / "report.html").stat().st_size / 1e6
    case = f"perdure {' '.join(COMMAND)}; the page has {page:.1f} MB"
    target = f"<= {TARGET:.0f} min"
    return [Row("train, explain, compare, page", case, minutes, None, minutes, target, minutes <= TARGET, "min")]
