"""The door of reproducibility: explain the same samples by every run of an ensemble, and see whether the runs agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perdure.audit.ensemble_picture import clusters_of, shown
from perdure.audit.retrained import weighed
from perdure.core.batch import Batch, select
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.estimate import read_estimate, write_estimate
from perdure.core.registry import folder_name
from perdure.core.verdict import write_verdict
from perdure.data.splits import Splits
from perdure.engine.pool import Progress
from perdure.ops.variance import shares
from perdure.records.record import write_record
from perdure.records.run import Run as Folder
from perdure.stability.agreement import Agreement, Run
from perdure.stability.checks import check_comparable
from perdure.stability.explain_runs import Telling, noisy, tell, type_count, type_names
from perdure.stability.measures import alike_number, consistency_numbers, measures, of_clusters, of_samples
from perdure.stability.members import Ensemble, Member, failures, learned, members, not_learned
from perdure.stability.remedies import remedies
from perdure.stability.variance import method_by_run

__all__ = ["ReproduceSettings", "reproduce"]

PARTS = {
    ("site",): "sequence and type",
    ("method", "site"): "method",
    ("run", "site"): "training run",
    ("method", "run", "site"): "method and run, with noise",
}
"""What the components of variance of `method_by_run` are called; the others are zero by construction."""


@dataclass(frozen=True)
class ReproduceSettings:
    """What is asked of an ensemble.

    Args:
        methods: attribution methods by registry name, with settings; the verdict rests on the first.
        samples: test samples to explain, at most.
        top: how many types are the top ones whose overlap is measured.
        seed: of all noise, nulls and bootstraps.
    """

    methods: tuple[str, ...]
    samples: int = 128
    top: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.methods or len({folder_name(method) for method in self.methods}) < len(self.methods):
            raise SettingError(f"the methods are {self.methods}", "name at least one method, and each once")
        check_counts(samples=self.samples, top=self.top)


def reproduce(
    ensemble: Ensemble,
    splits: Splits,
    settings: ReproduceSettings,
    run: Folder,
    progress: Progress | None = None,
) -> Mapping[str, Any]:
    """Measure whether the runs of an ensemble are explained the same way, and store it in the run folder.

    Args:
        ensemble: the trained runs; those whose training failed are left out with a warning.
        splits: the first test samples are explained; methods that must see samples before see training samples.
        settings: what to ask.
        run: the open run; finished explanations in it are not computed again.
        progress: told after each run and method.

    Returns:
        The record, also stored as `reproduce.json`, with its arrays in `reproduce.npz`.

    Raises:
        EmptyDataError: with fewer than two usable runs, or when no sample has two types to compare.
    """
    every = members(ensemble, splits, settings.seed)
    some = learned(every)
    batch, types = select(splits.test, slice(0, settings.samples)), type_names(splits)
    again = noisy(some[0].model, settings.methods, splits.train)
    places = tuple((one.name, one.folder) for one in every)
    how = ensemble.config, ensemble.device
    work = Telling(places, settings.methods, again, batch, splits.train, run.path, settings.seed, *how)
    told = _of(some, every, tell(work, type_count(splits), ensemble.workers, progress))
    check_comparable(told, [one.name for one in some], splits, types)
    record, arrays = _measured(told, batch, settings)
    alike = alike_number(next(iter(told.values())), settings.seed)
    first = read_estimate(record["agreements"][0]["number"])
    verdict = weighed(some, every, (first, alike.estimate), settings.methods[0])
    whole = {
        "title": f"{run.config['model']} on {run.config['data']}",
        "subtitle": f"{len(some)} runs · {', '.join(settings.methods)} · {len(batch)} test samples",
        "answer": f"{verdict.question} {verdict.answer.capitalize()}. {verdict.sentence}",
        "runs": [{"name": m.name, "folder": str(m.folder), "accuracy": write_estimate(m.accuracy)} for m in some],
        "failed": _left(some, every, ensemble),
        "methods": list(settings.methods),
        "verdict": write_verdict(verdict),
        **record,
        "alike": write_estimate(alike.estimate),
        "remedies": remedies(told, some, work, splits, ensemble.workers),
        "types": list(types),
        "classes": list(splits.classes),
        "provenance": {**run.config, "perdure": run.version, "created": run.created, **run.environment},
    }
    pictured = {**arrays, "alike": alike.pairs.numpy(), "label": batch.label.numpy()}
    return write_record(run.path, "reproduce", whole, pictured)


def _of(some: Sequence[Member], every: Sequence[Member], told: Mapping[str, Sequence[Run]]) -> dict[str, list[Run]]:
    """Keep what the runs say that are compared."""
    return {method: [run for run, one in zip(runs, every, strict=True) if one in some] for method, runs in told.items()}


def _left(some: Sequence[Member], every: Sequence[Member], ensemble: Ensemble) -> list[dict[str, str]]:
    """Say which runs are left out, and why."""
    slow = {one.name: not_learned(one.accuracy) for one in every if one not in some}
    return [{"name": name, "reason": reason} for name, reason in {**failures(ensemble), **slow}.items()]


def _measured(
    told: Mapping[str, Sequence[Run]], batch: Batch, settings: ReproduceSettings
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measure every method, and all of them together."""
    agreements: list[dict[str, Any]] = []
    clusters: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for method, runs in told.items():
        name, found = folder_name(method), clusters_of(runs[0].vectors.values, method)
        pairs = _pairs(runs, method, found.count, settings)
        numbers = [agreement.estimate for agreement in pairs] + consistency_numbers(runs, batch.label, settings.seed)
        agreements += [{"method": method, "number": write_estimate(number)} for number in numbers]
        arrays |= {f"pairs/{name}/{agreement.estimate.name}": agreement.pairs.numpy() for agreement in pairs}
        arrays |= shown(runs, found, name)
        clusters[method] = found.record
    return {"agreements": agreements, "clusters": clusters, "variance": _variance(told)}, arrays


def _pairs(runs: Sequence[Run], method: str, count: int, settings: ReproduceSettings) -> list[Agreement]:
    found = [of_samples(runs, similarity, settings.seed) for similarity in measures(method, settings.top)]
    return found + (of_clusters(runs, count, settings.seed) if count > 1 else [])


def _variance(told: Mapping[str, Sequence[Run]]) -> list[dict[str, Any]]:
    """Split the variance of ranks where there are methods to compare."""
    if len(told) < 2:
        return []
    found = shares(method_by_run({method: [run.vectors for run in runs] for method, runs in told.items()}))
    return [{"part": part, "share": found[names]} for names, part in PARTS.items()]
