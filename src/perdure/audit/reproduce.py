"""Compare the explanations of the same samples by several training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from perdure.audit.across_runs import summarise_runs
from perdure.audit.ensemble_arrays import choose_clusters, collect_ensemble_arrays
from perdure.audit.inputs import DATA, check_splits, describe_models, name_models, open_folder
from perdure.audit.modality import find_modality
from perdure.audit.reproduction import Reproduction
from perdure.core.abilities import HasAttention
from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_counts
from perdure.core.device import device_of
from perdure.core.errors import SettingError
from perdure.core.estimate import read_estimate, write_estimate, write_verdict
from perdure.core.forward import evaluation
from perdure.core.spec import slug
from perdure.data._digest import digest_splits
from perdure.data._splits import Splits
from perdure.engine.pool import Engine, Progress
from perdure.ops.variance import variance_fractions
from perdure.records.place import is_path, place
from perdure.records.record import write_record
from perdure.records.run import RunFolder
from perdure.records.samples import write_samples
from perdure.stability.agreement import Agreement, RunExplanations
from perdure.stability.checks import check_comparable, check_methods
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
from perdure.training.checkpoint import load_checkpoint

__all__ = ["ReproduceSettings", "choose_methods", "reproduce", "run_reproduce"]

PARTS = {
    ("site",): "sequence and type",
    ("method", "site"): "method",
    ("run", "site"): "training run",
    ("method", "run", "site"): "method and run, with noise",
}
"""Names of the components of variance of `split_variance`; the others are zero by construction."""


@dataclass(frozen=True)
class ReproduceSettings:
    """Methods and numbers of samples of a comparison of runs.

    Args:
        methods: Attribution methods by registry name, with settings; the verdict is about the first. None for the
            methods that suit the data and the model.
        samples: Maximum number of test samples to explain.
        top: Number of top types whose overlap is measured.
        seed: Seed of all noise, nulls and bootstraps.

    Raises:
        SettingError: Without a method or sample, or when a method is named twice.
    """

    methods: tuple[str, ...] | None = None
    samples: int = 128
    top: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.methods, str):
            raise SettingError(f"the methods are the text '{self.methods}'", f"pass a tuple: ('{self.methods}',)")
        methods = self.methods
        if methods is not None and (not methods or len({slug(name) for name in methods}) < len(methods)):
            raise SettingError(f"the methods are {self.methods}", "name at least one method, and each once")
        check_counts(samples=self.samples, top=self.top)


def reproduce(
    runs: Mapping[str, nn.Module | Path | str] | Sequence[nn.Module | Path | str],
    splits: Splits,
    *,
    settings: ReproduceSettings | None = None,
    folder: Path | str | None = None,
    workers: int | Engine = 1,
    progress: Progress | None = None,
) -> Reproduction:
    """Test whether several training runs are explained the same way.

    Args:
        runs: Models of at least two training runs, better five or more, or the folders of `perdure train`; by name or
            in a list.
        splits: Data of all runs; the first test samples are explained, and methods are fitted on training samples.
        settings: Methods and numbers of samples; None for those that suit the data.
        folder: Folder for all results and the page; the same call resumes an interrupted comparison there. None for a
            temporary folder, and no page until `Reproduction.save`.
        workers: Number of processes, or an engine; results do not depend on it.
        progress: Callback with the number of finished and of all explanations.

    Returns:
        The agreement of the runs. The remedy of averaged weights is measured for folders only.

    Raises:
        SettingError: For unusable settings, runs or splits.
        EmptyDataError: With fewer than two usable runs, or when no sample has two types to compare.
        CheckpointError: If a folder has no readable checkpoint, or its model was trained on other data.
        RunFolderError: When the folder contains another comparison.
    """
    sources, settings = _name_sources(runs), settings or ReproduceSettings()
    check_splits(splits)
    models = {name: s if isinstance(s, nn.Module) else load_checkpoint(s)[0] for name, s in sources.items()}
    first = next(iter(models.values()))
    settings = replace(settings, methods=settings.methods or choose_methods(first, splits.test))
    check_methods(first, settings.methods or (), splits.train)
    described = describe_models(models)
    config = {
        "model": ", ".join(dict.fromkeys(type(model).__name__ for model in models.values())),
        "runs": described,
        "data": DATA,
        "data_digest": digest_splits(splits),
        **asdict(settings),
    }
    with open_folder(folder, config) as run:
        result = run_reproduce(Ensemble(sources, workers=workers), splits, settings, run, progress)
        if folder is not None:
            result.save(run.path)
    return result


def _name_sources(
    runs: Mapping[str, nn.Module | Path | str] | Sequence[nn.Module | Path | str],
) -> dict[str, Path | nn.Module]:
    """Name the runs of a list, folders by their own name where these differ."""
    if isinstance(runs, nn.Module) or is_path(runs):
        raise SettingError("there is one run only", "pass at least two runs in a list or by name, better five or more")
    if not isinstance(runs, Mapping):
        names = [place(item).name for item in runs if is_path(item)]
        distinct = names if len(set(names)) == len(runs) else [f"run {i}" for i in range(len(runs))]
        runs = dict(zip(distinct, runs, strict=True))
    sources = {str(name): place(item) if is_path(item) else item for name, item in runs.items()}
    name_models({name: nn.Identity() if is_path(item) else item for name, item in sources.items()})
    return sources


def choose_methods(model: nn.Module, batch: Batch) -> tuple[str, ...]:
    """Choose the methods of a comparison: attention where the model has it, and gradients.

    Args:
        model: Any of the runs.
        batch: Samples of the data.

    Returns:
        Registry names with settings.
    """
    weights = None
    if isinstance(model, HasAttention) and batch.inputs.ndim == 3:
        with evaluation(model):
            weights = model.attention(batch.inputs[:1].to(device_of(model)))
    if weights is None:
        return find_modality(batch).methods
    return ("attention", "gradient", "integrated_gradients:steps=32")


def run_reproduce(
    ensemble: Ensemble,
    splits: Splits,
    settings: ReproduceSettings,
    run: RunFolder,
    progress: Progress | None = None,
) -> Reproduction:
    """Compare the explanations of an ensemble in a run folder.

    Args:
        ensemble: Trained runs; those whose training failed are left out with a warning.
        splits: Data, as in `reproduce`.
        settings: Methods and numbers of samples.
        run: Open run with the names of model and data in the configuration; finished explanations in it are not
            computed again.
        progress: Callback after each run and method.

    Returns:
        The agreement of the runs, also stored as `reproduce.json` and `reproduce.npz`.

    Raises:
        EmptyDataError: With fewer than two usable runs, or when no sample has two types to compare.
    """
    every = load_members(ensemble, splits, settings.seed)
    learned = select_learned(every)
    methods = settings.methods or choose_methods(learned[0].model, splits.test)
    batch, types = slice_batch(splits.test, slice(0, settings.samples)), name_types(splits)
    write_samples(run.path, batch, tuple(splits.classes), tuple(splits.feature_names))
    again = find_noisy_methods(learned[0].model, methods, splits.train)
    sources = tuple((member.name, member.source) for member in every)
    job = ExplainRunsJob(
        sources, methods, again, batch, splits.train, run.path, settings.seed, ensemble.config, ensemble.device
    )
    explanations = _select_runs(learned, every, explain_runs(job, count_types(splits), ensemble.workers, progress))
    check_comparable(explanations, [member.name for member in learned], splits, types)
    record, arrays = _measure_methods(explanations, batch, settings)
    alike = estimate_equal_predictions(next(iter(explanations.values())), settings.seed)
    first = read_estimate(record["agreements"][0]["number"])
    verdict = summarise_runs(learned, every, (first, alike.estimate), methods[0])
    whole = {
        "title": f"{run.config['model']} on {run.config['data']}",
        "subtitle": f"{len(learned)} runs · {', '.join(methods)} · {len(batch)} test samples",
        "answer": f"{verdict.question} {verdict.answer.capitalize()}. {verdict.sentence}",
        "runs": [_write_run(member) for member in learned],
        "failed": _list_excluded(learned, every, ensemble),
        "methods": list(methods),
        "verdict": write_verdict(verdict),
        **record,
        "alike": write_estimate(alike.estimate),
        "remedies": measure_remedies(explanations, learned, job, splits, ensemble.workers),
        "types": list(types),
        "classes": list(splits.classes),
        "provenance": {**run.config, "perdure": run.version, **run.environment},
    }
    arrays = {**arrays, "alike": alike.pairs.numpy(), "label": batch.label.numpy()}
    write_record(run.path, "reproduce", whole, arrays)
    return Reproduction.from_dict(whole, arrays)


def _write_run(member: EnsembleMember) -> dict[str, Any]:
    folder = str(member.source) if isinstance(member.source, Path) else None
    return {"name": member.name, "folder": folder, "accuracy": write_estimate(member.accuracy)}


def _select_runs(
    learned: Sequence[EnsembleMember],
    every: Sequence[EnsembleMember],
    explanations: Mapping[str, Sequence[RunExplanations]],
) -> dict[str, list[RunExplanations]]:
    """Select the explanations of the compared runs."""
    return {
        method: [run for run, member in zip(runs, every, strict=True) if member in learned]
        for method, runs in explanations.items()
    }


def _list_excluded(
    learned: Sequence[EnsembleMember], every: Sequence[EnsembleMember], ensemble: Ensemble
) -> list[dict[str, str]]:
    """List the runs that are not compared, with the reason."""
    slow = {member.name: describe_not_learned(member.accuracy) for member in every if member not in learned}
    return [{"name": name, "reason": reason} for name, reason in {**find_failures(ensemble), **slow}.items()]


def _measure_methods(
    explanations: Mapping[str, Sequence[RunExplanations]], batch: Batch, settings: ReproduceSettings
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measure every method, and all of them together."""
    agreements: list[dict[str, Any]] = []
    clusters: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for method, runs in explanations.items():
        name, choice = slug(method), choose_clusters(runs[0].vectors.values, method)
        pairs = _compare_pairs(runs, method, choice.count, settings)
        numbers = [agreement.estimate for agreement in pairs] + estimate_consistency(runs, batch.label, settings.seed)
        agreements += [{"method": method, "number": write_estimate(number)} for number in numbers]
        arrays |= {f"pairs/{name}/{agreement.estimate.name}": agreement.pairs.numpy() for agreement in pairs}
        arrays |= collect_ensemble_arrays(runs, choice, name)
        clusters[method] = choice.record
    return {"agreements": agreements, "clusters": clusters, "variance": _list_variance(explanations)}, arrays


def _compare_pairs(
    runs: Sequence[RunExplanations], method: str, count: int, settings: ReproduceSettings
) -> list[Agreement]:
    result = [
        compare_samples(runs, similarity, settings.seed) for similarity in choose_similarities(method, settings.top)
    ]
    return result + (compare_clusters(runs, count, settings.seed) if count > 1 else [])


def _list_variance(explanations: Mapping[str, Sequence[RunExplanations]]) -> list[dict[str, Any]]:
    """Split the variance of ranks where there are methods to compare."""
    if len(explanations) < 2:
        return []
    components = split_variance({method: [run.vectors for run in runs] for method, runs in explanations.items()})
    fractions = variance_fractions(components)
    return [{"part": part, "share": fractions[names]} for names, part in PARTS.items()]
