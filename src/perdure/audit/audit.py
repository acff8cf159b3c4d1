"""The door of an audit: explain, judge and weigh trained models on the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perdure.audit.across_runs import QUESTION
from perdure.audit.evidence import WINDOWS
from perdure.audit.explained import Asked, Explained, explained
from perdure.audit.kind import kind_of
from perdure.audit.picture import SHOWN, arrays
from perdure.audit.retrained import HOW, compare_retrained
from perdure.audit.samples import extent, titles
from perdure.audit.settings import AuditSettings
from perdure.audit.verdicts import plainly, verdicts
from perdure.core.batch import Batch, slice_batch
from perdure.core.estimate import Estimate, Verdict, write_estimate, write_verdict
from perdure.core.metric import Metric
from perdure.core.registry import METRICS
from perdure.core.spec import slug
from perdure.data._splits import Splits
from perdure.engine.evaluate import default_metrics
from perdure.models._declared import declare_found, outputs_of
from perdure.records.record import write_record
from perdure.records.run import RunFolder
from perdure.records.scores import Case
from perdure.stability.members import Ensemble, TrainedModel, describe_not_learned, estimate_accuracy, has_learned

__all__ = ["audit"]

NONE: Mapping[str, Ensemble | str] = MappingProxyType({})


def audit(
    candidates: Sequence[TrainedModel],
    splits: Splits,
    settings: AuditSettings,
    run: RunFolder,
    progress: Callable[[int, int], None] | None = None,
    runs: Mapping[str, Ensemble | str] = NONE,
) -> Mapping[str, Any]:
    """Audit trained models and store what was found in the run folder.

    Data with an order in time gets the verdict over time; all data gets the verdicts down to the input and across
    runs.

    Args:
        candidates: the models, with different names.
        splits: accuracy is measured on all test samples, and the first are explained; methods that must see
            samples before see training samples.
        settings: what to look at.
        run: the open run; finished parts in it are not computed again.
        progress: told after each shard.
        runs: the training runs of each model, the model itself among them, or why there are none; those that are not
            named are not asked.

    Returns:
        The record, also stored as `audit.json`, with its arrays in `audit.npz`.
    """
    kind, batch = kind_of(splits.test), slice_batch(splits.test, slice(0, settings.samples))
    asked = Asked(batch, splits.train, kind, _metrics(batch, settings), settings.faithfulness_samples)
    found: dict[str, list[Explained]] = {}
    accuracy: dict[str, Estimate] = {}
    answers: dict[str, tuple[Verdict, ...]] = {}
    candidates = [replace(one, model=declare_found(one.model, splits.train)) for one in candidates]
    for one in candidates:
        case = Case("audit", run.config["data"], one.name, settings.methods[0], settings.seed)
        found[one.name] = _explain(one, asked, settings.methods, (case, run.path), progress)
        accuracy[one.name] = estimate_accuracy(one.model, splits.test, settings.seed)
        across = _across((one.name, accuracy[one.name]), runs.get(one.name, HOW), splits, settings, run.path)
        answers[one.name] = (*verdicts(one, found[one.name], asked, accuracy[one.name], (case, run.path)), across)
    kinds = {one.name: outputs_of(one.model) for one in candidates}
    record = {
        "title": " and ".join(found),
        "subtitle": f"{run.config['data']} · {settings.methods[0]} · {len(batch)} test samples · {extent(batch)}",
        "answer": " ".join(_answer(name, settings.methods[0], some) for name, some in answers.items()),
        "models": [
            {
                "name": name,
                "outputs": kinds[name],
                "accuracy": write_estimate(accuracy[name]),
                "verdicts": [write_verdict(verdict) for verdict in some],
            }
            for name, some in answers.items()
        ],
        "scores": _scores(found),
        "labels": titles(candidates, slice_batch(batch, slice(0, SHOWN)), splits.classes),
        "features": splits.feature_names,
        "texts": [asdict(text) for text in batch.text[:SHOWN]],
        "provenance": {**run.config, "perdure": run.version, "created": run.created, **run.environment},
    }
    shown = arrays([some[0] for some in found.values()], batch, kind, settings.seed)
    return write_record(run.path, "audit", record, shown)


def _explain(
    candidate: TrainedModel,
    asked: Asked,
    methods: tuple[str, ...],
    place: tuple[Case, Path],
    progress: Callable[[int, int], None] | None,
) -> list[Explained]:
    """Explain with every method; without a truth also with occlusion, which then tells where the evidence lies."""
    case, folder = place
    first, *others = methods
    wanted = [(first, asked.kind.close), *((method, asked.kind.curves) for method in others)]
    if asked.kind.in_time and asked.batch.truth is None:
        wanted.append((f"occlusion:window={-(-asked.batch.inputs.shape[1] // WINDOWS)}", ()))
    return [
        explained(
            candidate,
            method,
            asked,
            case=replace(case, method=method),
            folder=folder,
            close=close,
            progress=progress,
        )
        for method, close in wanted
    ]


def _across(
    of: tuple[str, Estimate], ensemble: Ensemble | str, splits: Splits, settings: AuditSettings, folder: Path
) -> Verdict:
    """Ask across runs, where the model itself has learned its task."""
    name, accuracy = of
    if not (isinstance(ensemble, str) or has_learned(accuracy)):
        return Verdict(QUESTION, "not learned", "none", describe_not_learned(accuracy))
    place = folder / "across" / slug(name)
    return compare_retrained(ensemble, splits, settings.samples, settings.methods[0], place, settings.seed)


def _metrics(batch: Batch, settings: AuditSettings) -> tuple[Metric, ...]:
    names = dict.fromkeys((*default_metrics(batch), *settings.metrics))
    return tuple(METRICS.make(name) for name in names)


def _answer(name: str, method: str, some: Sequence[Verdict]) -> str:
    """Say what was found of a model; whether it has learnt its task does not depend on the method."""
    said = plainly(some)
    return f"{name} {said}." if some[0].answer == "not learned" else f"{name}, explained by {method}: {said}."


def _scores(found: Mapping[str, Sequence[Explained]]) -> list[dict[str, Any]]:
    return [
        {"model": one.model, "method": one.method, "number": write_estimate(number)}
        for some in found.values()
        for one in some
        for number in (*one.numbers.values(), *one.close.values())
    ]
