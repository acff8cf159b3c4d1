"""What a new user meets: a custom network in a file, real series, one command, a page."""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import Row

OWN = """\
from torch import nn


class Gru(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.gru = nn.GRU(features, 32, batch_first=True)
        self.head = nn.Linear(32, classes)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


def make(features, classes):
    return Gru(features, classes)
"""

UNTRAINED = "epochs=1,min_steps=1,learning_rate=1e-9"

LIMIT = 180.0
"""Seconds that the command may take on two cores."""


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "own.py").write_text(OWN)
        seconds, record = run_audit(place, "own.py:make", "--out", "one")
        again, more = run_audit(place, "own.py:make", "--runs", "3", "--out", "one")
        untrained, blank = run_audit(place, "own.py:make", "--train-settings", UNTRAINED, "--out", "blank")
        weights = ("--weights", "one/models/own.py-make/model.safetensors")
        given, same = run_audit(place, "own.py:make", *weights, "--out", "given")
        page = (place / "one/report.html").stat().st_size
    accuracy = record["models"][0]["accuracy"]["value"]
    learnt, third = verdicts(record), verdicts(more)[-1]
    right = "not learned" not in learnt and learnt[-1] == "not tested"
    silent = verdicts(blank)[:2] == ["not learned", "not learned"]
    equal = verdicts(same) == learnt and same["models"][0]["accuracy"]["value"] == accuracy
    tested = third != "not tested"
    return [
        Row("own GRU, BasicMotions, one command", "seconds", seconds, None, seconds, "< 180", seconds < LIMIT),
        Row("the same, three further runs", "seconds", again, None, again, "< 180", again < LIMIT),
        Row("accuracy by the default training", "BasicMotions", accuracy, 0.25, accuracy, ">= .8", accuracy >= 0.8, ""),
        Row(
            "verdicts of a trained model",
            ", ".join(learnt),
            float(right),
            None,
            float(right),
            "learned, not tested",
            right,
            "",
        ),
        Row("third verdict with --runs 3", third, float(tested), None, float(tested), "tested", tested, ""),
        Row(
            "an untrained one is not learned",
            f"{untrained:.0f} s",
            float(silent),
            None,
            float(silent),
            "two verdicts",
            silent,
            "",
        ),
        check_answer("verdicts by given weights", f"{given:.0f} s", "the same", equal),
        Row("size of the page", "megabytes", page / 1e6, None, page / 1e6, "none", None, "MB"),
    ]


def check_answer(capability: str, case: str, target: str, meets: bool) -> Row:
    """Return the row of an answer: 1 when it is right."""
    return Row(capability, case, float(meets), None, float(meets), target, meets, "")


def run_audit(place: Path, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Run the command as in a shell; return its seconds and its record."""
    model, *options = arguments
    command = [sys.executable, "-m", "perdure", "audit", model, "sktime", *options, "--json"]
    start = time.perf_counter()
    result = subprocess.run(command, capture_output=True, check=True, cwd=place)
    return time.perf_counter() - start, json.loads(result.stdout)


def verdicts(record: dict[str, Any]) -> list[str]:
    return [verdict["answer"] for verdict in record["models"][0]["verdicts"]]
