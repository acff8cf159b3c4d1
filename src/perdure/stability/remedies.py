"""What remedies buy: the agreement of mean explanations, and of models with averaged weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from perdure.core.errors import EmptyDataError
from perdure.core.random import stream
from perdure.core.verdict import Number
from perdure.data.splits import Splits
from perdure.engine.piece import Engine
from perdure.ops.correlation import spearman
from perdure.stability.agreement import Run, sample_agreement
from perdure.stability.averaged_weights import averaged_pairs
from perdure.stability.explain_runs import Telling, tell, type_count
from perdure.stability.mean_explanations import Averaged, mean_agreement
from perdure.stability.measures import number_of
from perdure.stability.members import Member
from perdure.training.checkpoint import load_checkpoint
from perdure.training.predict import accuracy

__all__ = ["remedies"]

FEWEST = 4
"""Runs from which there are two groups of more than one."""


def remedies(
    told: Mapping[str, Sequence[Run]],
    runs: Sequence[Member],
    work: Telling,
    splits: Splits,
    workers: int | Engine = 1,
) -> list[dict[str, Any]]:
    """Measure for each method how much better means of runs agree than single runs do, by rank correlation.

    Args:
        told: what the runs say, by method.
        runs: the runs.
        work: how they were explained.
        splits: their data.
        workers: processes that share the explaining, or an engine.

    Returns:
        One entry per method and remedy; none for fewer than four runs.
    """
    if len(runs) < FEWEST:
        return []
    means = [entry for method, some in told.items() for entry in _means(method, some, work.seed)]
    return means + _weights(runs, work, splits, workers)


def _means(method: str, runs: Sequence[Run], seed: int) -> list[dict[str, Any]]:
    """Compare means of 1, 2, 4, ... runs, on the samples that all runs predict alike."""
    sizes = [2**power for power in range(len(runs)) if 2 ** (power + 1) <= len(runs)]
    try:
        found = [mean_agreement(runs, size, spearman, stream(seed, "mean", size)) for size in sizes]
    except EmptyDataError:  # no sample is predicted alike by all runs, and means would explain different classes
        return []
    return [{"method": method, "remedy": _named(one.size), "number": asdict(_number(one))} for one in found]


def _named(size: int) -> str:
    return "one run" if size == 1 else f"mean of {size} runs"


def _number(found: Averaged) -> Number:
    ends = found.low, found.high, found.null, found.ceiling
    return Number("Spearman", found.mean, *ends, higher_is_better=True)


def _weights(
    runs: Sequence[Member],
    work: Telling,
    splits: Splits,
    workers: int | Engine,
) -> list[dict[str, Any]]:
    """Explain models with averaged weights, where it is known how to align them."""
    pairs = averaged_pairs(runs, splits, work.place / "averaged")
    if not pairs:
        return []
    models = (load_checkpoint(folder, work.config)[0].to(work.device) for folder in pairs.values())
    right = [accuracy(model, splits.test) for model in models]
    averaged = tell(
        replace(work, runs=tuple(pairs.items()), place=work.place / "averaged"), type_count(splits), workers
    )
    return [
        {
            "method": method,
            "remedy": "averaged weights",
            "number": asdict(number_of("Spearman", sample_agreement(some, spearman, stream(work.seed, "averaged")))),
            "accuracy": sum(right) / len(right),
        }
        for method, some in averaged.items()
    ]
