"""Audit trained models: explain, evaluate and decide on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType

from torch import nn

from perdure.attribution.input_iba import InputIBA
from perdure.audit.across_runs import QUESTION, SINGLE, compare_runs
from perdure.audit.down_to_input import EvidenceDownToInput, decide_down_to_input
from perdure.audit.explain import AuditRequest, ExplainedModel, explain_model
from perdure.audit.information import COPIES, SAMPLES, estimate_information, measure_information
from perdure.audit.inputs import DATA, check_splits, describe_models, digest_splits, name_models, open_folder
from perdure.audit.modality import find_modality
from perdure.audit.over_time import WINDOWS, collect_evidence_over_time, decide_over_time
from perdure.audit.result import Audit, AuditedMethod, AuditedModel, Verdicts
from perdure.audit.samples import SHOWN, collect_arrays, describe_size, title_samples
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import SettingError
from perdure.core.estimate import Estimate, Verdict
from perdure.core.metric import Metric
from perdure.core.registry import METRICS
from perdure.core.spec import slug, strip_settings
from perdure.data._splits import Splits
from perdure.engine.evaluate import default_metrics
from perdure.engine.pool import Progress
from perdure.models._embed import embed_batch
from perdure.models._outputs import declare_detected, outputs_of
from perdure.records.record import write_record
from perdure.records.run import RunFolder
from perdure.records.scores import Case
from perdure.stability.checks import check_methods
from perdure.stability.members import Ensemble, TrainedModel, describe_not_learned, estimate_accuracy, has_learned

__all__ = ["audit", "run_audit", "summarise_verdicts"]

NONE: Mapping[str, Ensemble | str] = MappingProxyType({})

METRIC_OF = {
    "insertion": "insertion",
    "deletion": "deletion",
    "sensitivity": "sensitivity_n",
    "similarity": "parameter_randomisation",
}
"""The metric behind each estimate of the verdict down to the input."""

NAMES = {"sensitivity_n": "sensitivity-n", "parameter_randomisation": "similarity to maps of redrawn models"}

DOWN_TO_INPUT = {
    "yes": "shows what the prediction needs",
    "partly": "shows part of what the prediction needs",
    "no": "does not show what the prediction needs",
    "unclear": "passes one test and fails another",
}
"""The answers of the second verdict in the words of a summary."""

ACROSS_RUNS = {
    "yes": "another training run would show the same",
    "partly": "another training run would show part of the same",
    "no": "another training run would show something else",
    "unclear": "whether another training run would show the same stays open",
}
"""Those of the third verdict; other answers are left out."""


def audit(
    model: nn.Module | Mapping[str, nn.Module],
    splits: Splits,
    *,
    settings: AuditSettings | None = None,
    folder: Path | str | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Test whether the explanations of trained models can be trusted.

    Series and texts get the verdict over time; all data gets the verdict down to the input. The verdict across runs
    needs several trained models of one kind: pass them to `perdure.reproduce`.

    Args:
        model: Trained classifier, or several by name.
        splits: Data; accuracy is measured on all test samples, the first of these are explained, and methods are
            fitted on training samples.
        settings: Methods, metrics and numbers of samples; None for those that suit the data.
        folder: Folder for all results and the page; the same call resumes an interrupted audit there. None for a
            temporary folder, and no page until `Audit.save`.
        progress: Callback with the number of finished and of all shards.

    Returns:
        Verdicts and scores; `.recommended` of a model is the method to use, or None.

    Raises:
        SettingError: For unusable settings, models or splits.
        UnsupportedError: For data that is neither series, texts nor images, or a method that cannot explain a model.
        RunFolderError: When the folder contains another run.

    Example:
        >>> import torch
        >>> from perdure.core.batch import Batch
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False))
        >>> x = torch.linspace(-1, 1, 40)[:, None, None] * torch.ones(40, 4, 3)
        >>> _ = model[1].weight.data.copy_(torch.tensor([[-9.0], [9.0]]).expand(2, 12))
        >>> batch = Batch(x, (x.sum((1, 2)) > 0).long())
        >>> settings = AuditSettings(("input_x_gradient",), samples=4, faithfulness_samples=4)
        >>> result = audit(model, Splits(batch, batch, batch, ("low", "high")), settings=settings)
        >>> result.models[0].methods[0].verdicts.over_time.answer
        'reaches back'
    """
    models, settings = name_models(model), settings or AuditSettings()
    check_splits(splits)
    if settings.runs:
        raise SettingError(
            f"runs={settings.runs}, but a model in memory cannot be trained again",
            "leave runs out, and pass several trained models to perdure.reproduce",
        )
    settings = _complete(settings, splits.test)
    for trained in models.values():
        check_methods(trained, settings.methods or (), splits.train)
    config = {
        "models": describe_models(models),
        "data": DATA,
        "data_digest": digest_splits(splits),
        **asdict(settings),
    }
    with open_folder(folder, config) as run:
        named = [TrainedModel(name, module) for name, module in models.items()]
        result = run_audit(named, splits, settings, run, progress)
        if folder is not None:
            result.save(run.path)
    return result


def _complete(settings: AuditSettings, batch: Batch) -> AuditSettings:
    """Choose the methods that suit the data where none is named."""
    return settings if settings.methods else replace(settings, methods=find_modality(batch).methods)


def run_audit(
    models: Sequence[TrainedModel],
    splits: Splits,
    settings: AuditSettings,
    run: RunFolder,
    progress: Progress | None = None,
    runs: Mapping[str, Ensemble | str] = NONE,
) -> Audit:
    """Audit trained models in a run folder.

    Args:
        models: Models with different names.
        splits: Data, as in `audit`.
        settings: Methods, metrics and numbers of samples.
        run: Open run with the name of its data in the configuration; finished parts in it are not computed again.
        progress: Callback after each shard.
        runs: Training runs of each model, the model itself among them, or the reason why there are none.

    Returns:
        The audit, also stored as `audit.json` and `audit.npz`.
    """
    settings = _complete(settings, splits.test)
    methods = settings.methods or ()
    modality, batch = find_modality(splits.test), slice_batch(splits.test, slice(0, settings.samples))
    request = AuditRequest(batch, splits.train, modality, _make_metrics(batch, settings), settings.faithfulness_samples)
    data = run.config["data"]
    explained: list[list[ExplainedModel]] = []
    audited: list[AuditedModel] = []
    models = [replace(trained, model=declare_detected(trained.model, splits.train)) for trained in models]
    for trained in models:
        case = Case("audit", data, trained.name, methods[0], settings.seed)
        explained.append(_explain_methods(trained, request, methods, (case, run.path), progress))
        accuracy = estimate_accuracy(trained.model, splits.test, settings.seed)
        across = _test_runs(accuracy, runs.get(trained.name, SINGLE), splits, settings, (trained.name, run.path))
        verdicts = _decide(trained, explained[-1], request, accuracy, (case, run.path))
        audited.append(
            AuditedModel(
                trained.name,
                accuracy,
                _list_methods(explained[-1], replace(verdicts, across_runs=across)),
                outputs_of(trained.model),
            )
        )
    result = Audit(
        title=" and ".join(model.name for model in audited),
        subtitle=f"{data} · {methods[0]} · {len(batch)} test samples · {describe_size(batch)}",
        answer=" ".join(_describe(model) for model in audited),
        models=tuple(audited),
        labels=tuple(title_samples(models, slice_batch(batch, slice(0, SHOWN)), splits.classes)),
        provenance={**run.config, "perdure": run.version, **run.environment},
        arrays=collect_arrays([items[0] for items in explained], batch, modality, settings.seed),
        features=tuple(splits.feature_names),
        texts=tuple(batch.text[:SHOWN]),
    )
    write_record(run.path, "audit", result.to_dict(), result.arrays)
    return result


def _explain_methods(
    trained: TrainedModel,
    request: AuditRequest,
    methods: tuple[str, ...],
    place: tuple[Case, Path],
    progress: Progress | None,
) -> list[ExplainedModel]:
    """Explain by every method; without a truth also by occlusion, which then locates the evidence."""
    case, folder = place
    first, *further = methods
    jobs = [(first, request.modality.faithfulness), *((method, request.modality.curves) for method in further)]
    if request.modality.in_time and request.batch.truth is None:
        jobs.append((f"occlusion:window={-(-request.batch.inputs.shape[1] // WINDOWS)}", ()))
    return [
        explain_model(
            trained,
            method,
            request,
            case=replace(case, method=method),
            folder=folder,
            faithfulness=metrics,
            progress=progress,
        )
        for method, metrics in jobs
    ]


def _list_methods(explained: Sequence[ExplainedModel], verdicts: Verdicts) -> tuple[AuditedMethod, ...]:
    """List the scores of all methods, and the verdicts of the first."""
    return tuple(
        AuditedMethod(
            item.method,
            (*item.estimates.values(), *item.faithfulness.values()),
            Verdicts() if i else verdicts,
            item.passes,
            item.seconds,
        )
        for i, item in enumerate(explained)
    )


def _test_runs(
    accuracy: Estimate, ensemble: Ensemble | str, splits: Splits, settings: AuditSettings, place: tuple[str, Path]
) -> Verdict:
    """Compare the runs of a model that has learned its task."""
    if not (isinstance(ensemble, str) or has_learned(accuracy)):
        return Verdict(QUESTION, "not learned", "none", describe_not_learned(accuracy))
    name, folder = place
    method = (settings.methods or ())[0]
    return compare_runs(ensemble, splits, settings.samples, method, folder / "across" / slug(name), settings.seed)


def _make_metrics(batch: Batch, settings: AuditSettings) -> tuple[Metric, ...]:
    names = dict.fromkeys((*default_metrics(batch), *settings.metrics))
    return tuple(METRICS.make(name) for name in names)


def _describe(model: AuditedModel) -> str:
    """Summarise a model; whether it has learned its task does not depend on the method."""
    verdicts = model.verdicts
    words = summarise_verdicts(verdicts)
    if verdicts[0].answer == "not learned":
        return f"{model.name} {words}."
    return f"{model.name}, explained by {model.methods[0].name}: {words}."


def _decide(
    trained: TrainedModel,
    explained: Sequence[ExplainedModel],
    request: AuditRequest,
    accuracy: Estimate,
    place: tuple[Case, Path],
) -> Verdicts:
    """Decide on the first explanation: over time, where there is time, and down to the input."""
    down = decide_down_to_input(_collect_evidence(trained, explained[0], request, accuracy, place))
    over_time = None
    if request.modality.in_time:
        batch = embed_batch(trained.model, request.batch)
        evidence = collect_evidence_over_time(explained[0], explained[-1], batch, accuracy, place[0].seed)
        over_time = _name_method(explained[0].method, decide_over_time(evidence))
    return Verdicts(over_time, _name_method(explained[0].method, down))


def summarise_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Summarise the verdicts on a model in one sentence.

    Args:
        verdicts: Verdicts, of which the last two are down to the input and across runs.

    Returns:
        The words that follow the name of the model.
    """
    *time, down, runs = verdicts
    if down.answer == "not learned":
        return "has not learned the task"
    clauses = [f"the explanation {verdict.answer}" for verdict in time] + [f"the map {DOWN_TO_INPUT[down.answer]}"]
    if runs.answer in ACROSS_RUNS:
        clauses.append(ACROSS_RUNS[runs.answer])
    return ", and ".join((", ".join(clauses[:-1]), clauses[-1])) if len(clauses) > 1 else clauses[0]


def _name_method(method: str, verdict: Verdict) -> Verdict:
    """Name the method in the sentence: another method may be better on the same model."""
    if verdict.answer == "not learned":
        return verdict
    return replace(verdict, sentence=f"Explained by {method}: {verdict.sentence[0].lower()}{verdict.sentence[1:]}")


def _collect_evidence(
    trained: TrainedModel,
    explained: ExplainedModel,
    request: AuditRequest,
    accuracy: Estimate,
    place: tuple[Case, Path],
) -> EvidenceDownToInput:
    case, folder = place
    by_metric = {strip_settings(name): number for name, number in explained.faithfulness.items()}
    numbers = {field: replace(by_metric[metric], name=NAMES.get(metric, metric)) for field, metric in METRIC_OF.items()}
    method = InputIBA(granularity=request.modality.granularity, copies=COPIES, smoothing=0.0)
    few = slice_batch(request.batch, slice(0, min(SAMPLES, request.faithfulness_samples)))
    place_of_bits = folder / "information" / slug(trained.name)
    score = measure_information(trained.model, few, request.training, method, case=case, folder=place_of_bits)
    bits, kept = estimate_information(score, case.seed)
    return EvidenceDownToInput(accuracy, bits=bits, kept=kept, **numbers)
