"""The studies of the input bottleneck: quality of the default and of the published form, on runs that chose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import Row
from perdure.core.random import stream
from perdure.core.registry import METRICS
from perdure.ops.bootstrap import bootstrap_interval
from perdure.studies._bottleneck import Bottleneck
from perdure.studies._table import run_study
from perdure.studies.bottleneck_series import BottleneckSeries
from perdure.studies.bottleneck_text import BottleneckText
from perdure.studies.bottleneck_vision import BottleneckVision

HIT_RATE = 0.90
TARGETED = ("planted_text", "shapes")
"""Where the default must not be worse than the published form; series are reported only."""
KEPT = Path("runs/input_bottleneck")
"""Folder of the results, which are kept."""


def run() -> list[Row]:
    shutil.rmtree(KEPT, ignore_errors=True)
    return [row for study in (BottleneckText(), BottleneckVision(), BottleneckSeries()) for row in rows_of(study)]


def rows_of(study: Bottleneck) -> list[Row]:
    """Run a study, and list its results."""
    folder = KEPT / study.dataset
    run_study(study, folder, workers=2)
    arrays_by_name: dict[str, list[np.ndarray]] = {}
    for index in range(len(study.cells())):
        with np.load(folder / "arrays" / f"cell-{index:05d}.npz", allow_pickle=False) as arrays:
            for name in arrays.files:
                if "/" in name:
                    arrays_by_name.setdefault(name, []).append(arrays[name])
    return _rows(study, {name: np.concatenate(parts) for name, parts in arrays_by_name.items()})


def _rows(study: Bottleneck, values: dict[str, np.ndarray]) -> list[Row]:
    dataset = study.dataset
    signs = {name: 1 if METRICS.make(text).higher_is_better else -1 for name, text in study.metrics.items()}
    rows = [_against_published(dataset, metric, sign, values) for metric, sign in signs.items()]
    if dataset == "planted_text":
        ours = float(values["input_iba/hit_rate"].mean())
        rows.append(Row("hit@k of the default", dataset, ours, None, ours, ">= 0.9", ours >= HIT_RATE, ""))
    for name, scores in values.items():
        method, metric = name.split("/")
        rows.append(Row(metric, f"{dataset}, {method}", float(scores.mean()), None, float(scores.mean()), "", None, ""))
    return rows


def _against_published(dataset: str, metric: str, sign: int, values: dict[str, np.ndarray]) -> Row:
    """Take the mean advantage over the published form, sample by sample, with its bootstrap interval."""
    ours, peer = (values[f"{name}/{metric}"] for name in ("input_iba", "input_iba_published"))
    ends = bootstrap_interval(torch.from_numpy(sign * (ours - peer)), stream(0, "bootstrap"))
    low, high = (end.item() for end in ends)
    case = f"{dataset}, {len(ours)} samples; advantage {low:+.3f} to {high:+.3f}"
    target, meets = (">= 0", high >= 0) if dataset in TARGETED else ("", None)
    means = float(ours.mean()), float(peer.mean())
    return Row(f"{metric}, default against published", case, *means, high, target, meets, "")
