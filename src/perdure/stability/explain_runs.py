"""Explain the same samples by several runs and methods, and pool the attributions to comparable vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.abilities import Architecture
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, slice_batch
from perdure.core.random import stream
from perdure.core.registry import METHODS
from perdure.core.spec import slug
from perdure.data._event_marks import count_marked_types
from perdure.data._splits import Splits
from perdure.engine.explain import ExplainJob, explain, fit_method
from perdure.engine.pool import Engine, Progress, run_pieces
from perdure.models._embed import embed_batch
from perdure.ops.sequence import lengths_of
from perdure.records.attributions import read_attributions
from perdure.stability.agreement import RunExplanations
from perdure.stability.vectors import Vectors, name_positions, pool_by_event, pool_by_position
from perdure.training.checkpoint import load_checkpoint

__all__ = ["ExplainRunsJob", "count_types", "explain_runs", "find_noisy_methods", "name_types"]

AGAIN = 10_000
"""Offset between the seeds of first and second draws of noise."""

FEW = 2
"""Number of samples on which two draws of a method are compared."""

SEEN = 16
"""Number of samples to fit a method for that comparison."""


@dataclass(frozen=True, eq=False)
class ExplainRunsJob:
    """Explain the same samples by several runs; called with a number, explain by one run and one method.

    Each run draws separate noise, so that runs do not agree because of common noise.

    Args:
        runs: Name of each trained model with its folder, or with the model itself.
        methods: Registry names, with settings.
        again: Methods that draw noise, which explain twice.
        batch: Samples.
        seen: Samples for methods that must be fitted.
        place: Folder for the maps: maps/RUN/METHOD and, for second draws, again/RUN/METHOD.
        seed: Seed for all noise.
        config: Factory of models of your own.
        device: Device of the models, such as "cuda".
    """

    runs: tuple[tuple[str, Path | nn.Module], ...]
    methods: tuple[str, ...]
    again: tuple[str, ...]
    batch: Batch
    seen: Batch
    place: Path
    seed: int
    config: Architecture | None = None
    device: str = "cpu"

    @property
    def jobs(self) -> list[tuple[int, str, str]]:
        """List the number of the run, the method and the draw of all explanations."""
        folders = [(method, "maps") for method in self.methods] + [(method, "again") for method in self.again]
        return [(run, method, draw) for run in range(len(self.runs)) for method, draw in folders]

    def __call__(self, index: int) -> None:
        """Do one of the jobs, as far as it is not finished.

        Args:
            index: Number of the job.
        """
        run, method, draw = self.jobs[index]
        name, source = self.runs[run]
        model = source if isinstance(source, nn.Module) else load_checkpoint(source, self.config)[0].to(self.device)
        made = fit_method(METHODS.make(method), model, self.seen)
        seed = self.seed + run + (AGAIN if draw == "again" else 0)
        explain(ExplainJob(model, self.batch, made, self.folder(run, method, draw), name, seed=seed))

    def folder(self, run: int, method: str, draw: str = "maps") -> Path:
        """Name the folder of the maps of a run.

        Args:
            run: Number of the run.
            method: Method.
            draw: "maps", or "again" for the second draw.

        Returns:
            The folder.
        """
        return self.place / draw / slug(self.runs[run][0]) / slug(method)


def explain_runs(
    work: ExplainRunsJob, types: int | None, workers: int | Engine = 1, progress: Progress | None = None
) -> dict[str, list[RunExplanations]]:
    """Explain what is not finished, then read all of it.

    Args:
        work: Runs, methods and samples.
        types: Number of event types; None to compare input positions instead.
        workers: Number of processes, or an engine; results do not depend on it.
        progress: Callback after each run and method.

    Returns:
        The explanations of each run by method, in the order of the runs.
    """
    run_pieces(work, range(len(work.jobs)), workers, progress)
    return {method: [_read_run(work, run, method, types) for run in range(len(work.runs))] for method in work.methods}


def find_noisy_methods(model: nn.Module, methods: Sequence[str], batch: Batch) -> tuple[str, ...]:
    """Find the methods that draw noise, by calling each with two seeds.

    Args:
        model: Any run.
        methods: Registry names, with settings.
        batch: Some samples.

    Returns:
        The methods whose maps of two streams differ.
    """
    few = embed_batch(model, slice_batch(batch, slice(0, SEEN)))
    lengths, label = lengths_of(few.mask), few.label[:FEW]

    def values(name: str, seed: int) -> Tensor:
        method = fit_method(METHODS.make(name), model, few)
        first = None if lengths is None else lengths[:FEW]
        drawn = stream(seed, "noisy")
        return attribute(model, few.inputs[:FEW], method, target=label, lengths=first, generator=drawn).values

    return tuple(name for name in methods if not torch.equal(values(name, 0), values(name, 1)))


def name_types(splits: Splits) -> tuple[str, ...]:
    """Name the columns of explanation vectors: event types, or input positions of data without events.

    Args:
        splits: Data of the runs.

    Returns:
        One name for each column.
    """
    return _name_events(splits) or name_positions(splits.test)


def count_types(splits: Splits) -> int | None:
    """Count the event types of explanation vectors.

    Args:
        splits: Data; events are those of the batches, or what the features mark where there are several at a time.

    Returns:
        How many there are; None for data without events, whose places are compared.
    """
    return len(_name_events(splits)) or None


def _name_events(splits: Splits) -> tuple[str, ...]:
    parts = (splits.train, splits.validation, splits.test)
    events = [part.event for part in parts if part.event is not None]
    if splits.test.event is None:
        return splits.types if count_marked_types(splits) else ()
    return splits.types or tuple(f"type {i}" for i in range(1 + max(int(event.max()) for event in events)))


def _read_run(work: ExplainRunsJob, run: int, method: str, types: int | None) -> RunExplanations:
    vectors, predicted = _read_vectors(work.folder(run, method), work.batch, types)
    again = None if method not in work.again else _read_vectors(work.folder(run, method, "again"), work.batch, types)[0]
    return RunExplanations(vectors, predicted, again)


def _read_vectors(folder: Path, batch: Batch, types: int | None) -> tuple[Vectors, Tensor]:
    parts = read_attributions(folder)
    whole: Attribution = replace(parts[0].attribution, values=torch.cat([part.attribution.values for part in parts]))
    result = pool_by_position(whole, batch) if types is None else pool_by_event(whole, batch, types)
    return result, torch.cat([part.prediction for part in parts])
