"""The box saliency study in its full size: how long it takes, and how near it comes to the published table."""

import shutil
import time
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from benchmarks.harness import Row
from perdure.studies._table import Row as Number
from perdure.studies._table import run_study
from perdure.studies.box_saliency import SETS, BoxSaliency

MINUTES = 60
DISTANCE = 0.02
DEFINED = [name for name in SETS if name != "mixed"]
KEPT = Path("runs/box_saliency")
"""Folder of the results, which are kept."""


def run() -> list[Row]:
    folder = Path(mkdtemp())
    start = time.perf_counter()
    numbers = run_study(BoxSaliency(), folder, workers=2)
    minutes = (time.perf_counter() - start) / 60
    shutil.rmtree(KEPT, ignore_errors=True)
    shutil.move(folder, KEPT)
    case = "5 seeds x 6 sets x 4 models, and the moving set"
    took = Row("box_saliency", case, minutes, None, minutes, "<= 60", minutes <= MINUTES, "min")
    return [took, *(_distance(numbers, name) for name in DEFINED)]


def _distance(numbers: list[Number], name: str) -> Row:
    def of(paper: bool) -> list[float]:
        wanted = (name, "lstm_input_cell_attention", "weighted_jaccard", paper)
        return [n.value for n in numbers if (n.dataset, n.model, n.metric, n.seed == "paper") == wanted]

    ours, published = float(np.mean(of(False))), of(True)[0]
    away = abs(ours - published)
    return Row("weighted Jaccard of input-cell attention", name, ours, published, away, "<= 0.02", away <= DISTANCE, "")
