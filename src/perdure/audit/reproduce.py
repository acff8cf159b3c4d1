"""The door of reproducibility: explain the same samples by every run of an ensemble, and see whether the runs agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perdure.audit.ensemble_picture import choose_clusters, collect_ensemble_arrays
from perdure.audit.retrained import weigh_agreement
from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.estimate import read_estimate, write_estimate, write_verdict
from perdure.core.spec import slug
from perdure.data._splits import Splits
from perdure.engine.pool import Progress
from perdure.ops.variance import variance_fractions
from perdure.records.record import write_record
from perdure.records.run import RunFolder as Folder
from perdure.stability.agreement import Agreement, RunExplanations
from perdure.stability.checks import check_comparable
from perdure.stability.explain_runs import ExplainRunsJob, count_types, explain_runs, find_noisy_methods, name_types
from perdure.stability.measures import (
    choose_similarities,
    compare_clusters,
    compare_samples,
    estimate_consistency,
    estimate_equal_predictions,
)
from perdure.stability.members import (
    Ensemble,
    EnsembleMember,
    describe_not_learned,
    find_failures,
    load_members,
    select_learned,
)
from perdure.stability.remedies import measure_remedies
from perdure.stability.variance import split_variance

__all__ = ["ReproduceSettings", "reproduce"]

PARTS = {
    ("site",): "sequence and type",
    ("method", "site"): "method",
    ("run", "site"): "training run",
    ("method", "run", "site"): "method and run, with noise",
}
"""What the components of variance of `split_variance` are called; the others are zero by construction."""


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
        if not self.methods or len({slug(method) for method in self.methods}) < len(self.methods):
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
    every = load_members(ensemble, splits, settings.seed)
    some = select_learned(every)
    batch, types = slice_batch(splits.test, slice(0, settings.samples)), name_types(splits)
    again = find_noisy_methods(some[0].model, settings.methods, splits.train)
    places = tuple((one.name, one.folder) for one in every)
    how = ensemble.config, ensemble.device
    work = ExplainRunsJob(places, settings.methods, again, batch, splits.train, run.path, settings.seed, *how)
    told = _of(some, every, explain_runs(work, count_types(splits), ensemble.workers, progress))
    check_comparable(told, [one.name for one in some], splits, types)
    record, arrays = _measured(told, batch, settings)
    alike = estimate_equal_predictions(next(iter(told.values())), settings.seed)
    first = read_estimate(record["agreements"][0]["number"])
    verdict = weigh_agreement(some, every, (first, alike.estimate), settings.methods[0])
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
        "remedies": measure_remedies(told, some, work, splits, ensemble.workers),
        "types": list(types),
        "classes": list(splits.classes),
        "provenance": {**run.config, "perdure": run.version, "created": run.created, **run.environment},
    }
    pictured = {**arrays, "alike": alike.pairs.numpy(), "label": batch.label.numpy()}
    return write_record(run.path, "reproduce", whole, pictured)


def _of(
    some: Sequence[EnsembleMember], every: Sequence[EnsembleMember], told: Mapping[str, Sequence[RunExplanations]]
) -> dict[str, list[RunExplanations]]:
    """Keep what the runs say that are compared."""
    return {method: [run for run, one in zip(runs, every, strict=True) if one in some] for method, runs in told.items()}


def _left(some: Sequence[EnsembleMember], every: Sequence[EnsembleMember], ensemble: Ensemble) -> list[dict[str, str]]:
    """Say which runs are left out, and why."""
    slow = {one.name: describe_not_learned(one.accuracy) for one in every if one not in some}
    return [{"name": name, "reason": reason} for name, reason in {**find_failures(ensemble), **slow}.items()]


def _measured(
    told: Mapping[str, Sequence[RunExplanations]], batch: Batch, settings: ReproduceSettings
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measure every method, and all of them together."""
    agreements: list[dict[str, Any]] = []
    clusters: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for method, runs in told.items():
        name, found = slug(method), choose_clusters(runs[0].vectors.values, method)
        pairs = _pairs(runs, method, found.count, settings)
        numbers = [agreement.estimate for agreement in pairs] + estimate_consistency(runs, batch.label, settings.seed)
        agreements += [{"method": method, "number": write_estimate(number)} for number in numbers]
        arrays |= {f"pairs/{name}/{agreement.estimate.name}": agreement.pairs.numpy() for agreement in pairs}
        arrays |= collect_ensemble_arrays(runs, found, name)
        clusters[method] = found.record
    return {"agreements": agreements, "clusters": clusters, "variance": _variance(told)}, arrays


def _pairs(runs: Sequence[RunExplanations], method: str, count: int, settings: ReproduceSettings) -> list[Agreement]:
    found = [
        compare_samples(runs, similarity, settings.seed) for similarity in choose_similarities(method, settings.top)
    ]
    return found + (compare_clusters(runs, count, settings.seed) if count > 1 else [])


def _variance(told: Mapping[str, Sequence[RunExplanations]]) -> list[dict[str, Any]]:
    """Split the variance of ranks where there are methods to compare."""
    if len(told) < 2:
        return []
    found = variance_fractions(split_variance({method: [run.vectors for run in runs] for method, runs in told.items()}))
    return [{"part": part, "share": found[names]} for names, part in PARTS.items()]
