"""The peak memory of explaining as the dataset grows tenfold."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.harness import Row
from perdure.attribution.saliency import Saliency
from perdure.core.batch import Batch
from perdure.core.random import stream
from perdure.engine.explain import ExplainJob, explain
from perdure.models._presets import model_config

SMALL, GROWTH, STEPS, FEATURES, TARGET = 2_000, 10, 100, 10, 0.10


def run() -> list[Row]:
    measured = {size: [_in_a_new_process(size) for _ in range(2)] for size in (SMALL, GROWTH * SMALL)}
    small, large = (min(record["beyond_data"] for record in measured[size]) for size in (SMALL, GROWTH * SMALL))
    added = {size: min(record["added"] for record in measured[size]) for size in measured}
    case = f"lstm, {SMALL} and {GROWTH * SMALL} series of {STEPS} x {FEATURES}, saliency, a fresh process each"
    growth = large / small - 1
    return [
        Row(
            "peak memory of the process less its data",
            case,
            large,
            small,
            growth,
            f"growth <= {TARGET:.0%}",
            growth <= TARGET,
            "MB",
        ),
        Row(
            "memory that explain adds to the process",
            case,
            added[GROWTH * SMALL],
            added[SMALL],
            added[GROWTH * SMALL] / added[SMALL] - 1,
            "none, for the record",
            None,
            "MB",
        ),
    ]


def _in_a_new_process(size: int) -> dict[str, float]:
    completed = subprocess.run([sys.executable, "-m", "benchmarks.memory", str(size)], check=True, capture_output=True)
    numbers: dict[str, float] = json.loads(completed.stdout)
    return numbers


def _measure(size: int) -> dict[str, float]:
    """Explain once; the data is beyond dispute, everything else is counted."""
    torch.set_num_threads(1)
    model = model_config("lstm").build(FEATURES, 2, stream(0)).eval()
    x = torch.empty(size, STEPS, FEATURES)
    for part in x.split(500):
        part.normal_(generator=stream(0, "series"))
    batch = Batch(x, torch.zeros(size, dtype=torch.int64))
    before = _megabytes("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        explain(ExplainJob(model, batch, Saliency(), Path(folder), "lstm"))
    peak = _megabytes("VmHWM")
    return {"beyond_data": peak - x.numel() * x.element_size() / 1e6, "added": peak - before}


def _megabytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))
