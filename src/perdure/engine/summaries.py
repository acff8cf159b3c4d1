"""Summaries of stored scores."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import torch
from torch import Tensor

from perdure.core.estimate import Estimate
from perdure.core.metric import Score
from perdure.core.random import stream
from perdure.core.registry import METRICS
from perdure.core.spec import strip_settings
from perdure.metrics._nulls import compare_with_null
from perdure.metrics._summarise import summarise
from perdure.records.parts import read_parts

__all__ = ["score_numbers", "stored_scores"]


def stored_scores(folder: Path, parts: Container[int] | None = None) -> Mapping[str, Score]:
    """Read the scores of a folder, all parts together.

    Args:
        folder: Folder that `evaluate_maps` wrote.
        parts: Numbers of the parts to read; None for all.

    Returns:
        One score per metric, its further numbers in `aux`; records of 0.1 have no single draws of the null.

    Raises:
        PartError: When a part is missing or damaged.
    """
    table = read_parts(folder, parts)
    columns: dict[str, dict[str, Tensor]] = {}
    for name in pc.unique(table["metric"]).to_pylist():
        rows = table.filter(pc.equal(table["metric"], name))
        present = {key: rows[key] for key in ("value", "null", "ceiling") if rows[key].null_count == 0}
        columns[name] = {key: torch.tensor(column.to_pylist()) for key, column in present.items()}
        lists = [key for key in ("curve", "nulls") if key in rows.column_names and rows[key].null_count == 0]
        columns[name] |= {key: torch.tensor(rows[key].to_pylist()) for key in lists}
    return {name: _score(name, columns) for name, column in columns.items() if "null" in column}


def score_numbers(scores: Mapping[str, Score], seed: int) -> dict[str, Estimate]:
    """Average scores over their samples, with bootstrap intervals.

    Args:
        scores: Scores by metric.
        seed: Seed of the bootstrap.

    Returns:
        One number per metric, between its null and its ceiling.
    """
    numbers = {}
    for name, score in scores.items():
        better = METRICS.load(strip_settings(name)).higher_is_better
        summary = summarise(score, stream(seed, "bootstrap", name))
        numbers[name] = replace(summary, name=name, higher_is_better=better)
    return numbers


def _score(name: str, columns: Mapping[str, Mapping[str, Tensor]]) -> Score:
    own = columns[name]
    start = f"{name}."
    aux = {key.removeprefix(start): column["value"] for key, column in columns.items() if key.startswith(start)}
    nulls = own["nulls"].T if "nulls" in own else None
    score = Score(name, own["value"], own["null"], own["ceiling"], own.get("curve"), aux, nulls)
    return score if nulls is None else replace(score, p=compare_with_null(score, METRICS.load(strip_settings(name))))
