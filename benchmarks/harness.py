"""What all benchmarks share: interleaved timing, and the rows they write."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

__all__ = ["Row", "best_ratio", "interleave", "write"]

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One measured number with its target.

    Args:
        capability: Quantity that is measured.
        case: Data and settings.
        ours: Number of perdure, with its unit in `unit`.
        peer: Number of the reference or peer; None when there is none.
        ratio: Number that the target bounds.
        target: Bound, as text with its direction.
        meets: Whether the ratio meets the target; None for a row that only informs.
        unit: Unit of ours and peer.
    """

    capability: str
    case: str
    ours: float
    peer: float | None
    ratio: float
    target: str
    meets: bool | None
    unit: str = "s"


def interleave(functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time functions in turn, so that a slow moment of the machine hits all of them.

    Args:
        functions: Functions by name; each is called once before the clock starts.
        repeats: Number of timed calls of each.

    Returns:
        Seconds of each call.
    """
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def best_ratio(seconds: Mapping[str, Sequence[float]], over: str, under: str) -> float:
    """Divide the best time of one function by that of another: what the machine can do undisturbed."""
    return min(seconds[over]) / min(seconds[under])


def write(name: str, rows: Sequence[Row], seconds: float) -> None:
    """Write the rows of a benchmark with the description of the machine, and print them."""
    RESULTS.mkdir(exist_ok=True)
    record = {"benchmark": name, "seconds": round(seconds, 1), **_machine(), "rows": [asdict(row) for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"\n{name}  ({seconds:.0f} s)")
    for row in rows:
        peer = "" if row.peer is None else f"  peer {row.peer:.4g} {row.unit}"
        verdict = {True: "meets", False: "MISSES", None: ""}[row.meets]
        print(f"  {row.capability} · {row.case}: ours {row.ours:.4g} {row.unit}{peer}", end="")
        print(f"  ratio {row.ratio:.4g}  target {row.target}  {verdict}")


def _machine() -> dict[str, Any]:
    packages = ("perdure", "torch", "numpy", "captum")
    return {
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}},
        "threads": torch.get_num_threads(),
        "load_at_end": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
