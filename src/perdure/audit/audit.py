"""Audit trained models: explain, evaluate and decide on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType

from torch import nn

from perdure.audit.across_runs import QUESTION, SINGLE, compare_runs_by
from perdure.audit.budget import BudgetPlan, open_plan
from perdure.audit.decide import collect_panel_evidence, decide_methods
from perdure.audit.explain import AuditRequest, ExplainedModel, FailedMethod, explain_panel
from perdure.audit.inputs import DATA, check_splits, describe_models, name_models, open_folder
from perdure.audit.modality import find_modality
from perdure.audit.nearby import compare_neighbours
from perdure.audit.panel import OPTIONAL, choose_panel
from perdure.audit.recommend import describe_recommendation
from perdure.audit.result import Audit, AuditedMethod, AuditedModel
from perdure.audit.samples import SHOWN, collect_arrays, describe_samples, describe_size, title_samples
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.estimate import Estimate, Verdict
from perdure.core.metric import Metric
from perdure.core.registry import METRICS
from perdure.core.resources import single_thread
from perdure.core.spec import slug, strip_settings
from perdure.data._digest import digest_splits
from perdure.data._splits import Splits
from perdure.engine.evaluate import default_metrics
from perdure.engine.pool import Progress
from perdure.models._embed import embed_batch
from perdure.models._outputs import declare_detected, outputs_of
from perdure.records.run import RunFolder
from perdure.records.samples import write_samples
from perdure.records.scores import Case
from perdure.stability.checks import check_panel
from perdure.stability.members import Ensemble, TrainedModel, describe_not_learned, estimate_accuracy, has_learned

__all__ = ["audit", "run_audit"]

NONE: Mapping[str, Ensemble | str] = MappingProxyType({})


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
    find_modality(splits.test)
    for trained in models.values():
        check_panel(trained, settings.methods or (), splits.train)
    config = {
        "models": describe_models(models),
        "data": DATA,
        "data_digest": digest_splits(splits),
        **{name: value for name, value in asdict(settings).items() if name != "budget" or value is not None},
    }
    with open_folder(folder, config) as run:
        named = [TrainedModel(name, module) for name, module in models.items()]
        result = run_audit(named, splits, settings, run, progress)
        if folder is not None:
            result.save(run.path)
    return result


@single_thread()
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
    models = [replace(trained, model=declare_detected(trained.model, splits.train)) for trained in models]
    request = _make_request(splits, settings)
    panels = {trained: settings.methods or _choose_panel(trained, request) for trained in models}
    notes: tuple[str, ...] = ()
    if settings.budget is not None:
        plan = open_plan(panels, request, settings.budget / max(1, settings.runs), _name_case(run, settings), run.path)
        settings = replace(settings, samples=plan.samples)
        request = _make_request(splits, settings)
        panels = {item: tuple(name for name in names if name not in plan.left_out) for item, names in panels.items()}
        notes = _describe_plan(plan, settings.budget)
    batch = request.batch
    write_samples(
        run.path, batch, tuple(splits.classes), tuple(splits.feature_names), shard=request.faithfulness_samples
    )
    explained: list[ExplainedModel] = []
    audited: list[AuditedModel] = []
    for trained in models:
        ensemble = runs.get(trained.name, SINGLE)
        panel, methods = _audit_model(trained, panels[trained], request, splits, settings, (run, ensemble), progress)
        explained += panel
        accuracy = estimate_accuracy(trained.model, splits.test, settings.seed)
        audited.append(AuditedModel(trained.name, accuracy, methods, outputs_of(trained.model)))
    result = Audit(
        title=" and ".join(model.name for model in audited),
        subtitle=f"{run.config['data']} · {_count_methods(audited)} · {len(batch)} test samples · "
        f"{describe_size(batch)}",
        answer=" ".join(describe_recommendation(model) for model in audited),
        models=tuple(audited),
        labels=tuple(title_samples(models, slice_batch(batch, slice(0, SHOWN)), splits.classes)),
        provenance={**run.config, "perdure": run.version, **run.environment},
        arrays=collect_arrays(_label(explained), batch, request.modality, settings.seed),
        features=tuple(splits.feature_names),
        texts=tuple(batch.text[:SHOWN]),
        notes=(*notes, *describe_samples(models, batch, request.faithfulness_samples)),
    )
    result.store(run.path)
    return result


def _make_request(splits: Splits, settings: AuditSettings) -> AuditRequest:
    modality, batch = find_modality(splits.test), slice_batch(splits.test, slice(0, settings.samples))
    few = min(settings.faithfulness_samples, settings.samples)
    return AuditRequest(batch, splits.train, modality, _make_metrics(batch, settings), modality.faithfulness, few)


def _choose_panel(trained: TrainedModel, request: AuditRequest) -> tuple[str, ...]:
    sizes = embed_batch(trained.model, slice_batch(request.batch, slice(0, 1))).inputs.shape[1:]
    return choose_panel(request.modality, sizes)


def _name_case(run: RunFolder, settings: AuditSettings) -> Case:
    return Case("audit", run.config["data"], "", "", settings.seed)


def _describe_plan(plan: BudgetPlan, seconds: float | None) -> tuple[str, ...]:
    """Describe what a budget leaves of the audit."""
    left = [name for name in plan.left_out if strip_settings(name) not in OPTIONAL]
    without = f", without {', '.join(left)}" if left else ""
    return (f"The budget of {seconds:.0f} seconds allows {plan.samples} samples{without}.",)


def _audit_model(
    trained: TrainedModel,
    methods: Sequence[str],
    request: AuditRequest,
    splits: Splits,
    settings: AuditSettings,
    place: tuple[RunFolder, Ensemble | str],
    progress: Progress | None,
) -> tuple[list[ExplainedModel], tuple[AuditedMethod, ...]]:
    """Explain a model by all methods and decide on each of them."""
    run, ensemble = place
    case = replace(_name_case(run, settings), model=trained.name)
    panel = explain_panel(trained, methods, request, case=case, folder=run.path, progress=progress)
    usable = [item for item in panel if isinstance(item, ExplainedModel)]
    if not usable:
        raise next(item.error for item in panel if isinstance(item, FailedMethod))
    accuracy = estimate_accuracy(trained.model, splits.test, settings.seed)
    evidence = collect_panel_evidence(trained, usable, request, accuracy, (case, run.path))
    names = [item.method for item in usable]
    folder = run.path / "across" / slug(trained.name)
    across = _test_runs((trained.model, accuracy), ensemble, splits, settings, names, folder)
    verdicts = {method.name: method for method in decide_methods(usable, evidence, across)}
    rows = (verdicts.get(item.method) or _describe_failure(item) for item in panel if not _is_left_out(item, settings))
    return usable, tuple(rows)


def _is_left_out(item: ExplainedModel | FailedMethod, settings: AuditSettings) -> bool:
    """Whether a method of the default panel does not apply to the model, such as attention without attention."""
    optional = settings.methods is None and strip_settings(item.method) in OPTIONAL
    return optional and isinstance(item, FailedMethod) and isinstance(item.error, UnsupportedError)


def _describe_failure(item: ExplainedModel | FailedMethod) -> AuditedMethod:
    return AuditedMethod(item.method, (), failure=str(item.error) if isinstance(item, FailedMethod) else None)


def _test_runs(
    given: tuple[nn.Module, Estimate],
    ensemble: Ensemble | str,
    splits: Splits,
    settings: AuditSettings,
    methods: Sequence[str],
    place: Path,
) -> dict[str, Verdict]:
    """Compare the runs of a model that has learned its task, or short retrainings where the settings include them."""
    model, accuracy = given
    if not (isinstance(ensemble, str) or has_learned(accuracy)):
        return dict.fromkeys(methods, Verdict(QUESTION, "not learned", "none", describe_not_learned(accuracy)))
    if isinstance(ensemble, str) and settings.nearby and has_learned(accuracy):
        return compare_neighbours(model, splits, settings.samples, methods, place, settings.seed)
    return compare_runs_by(ensemble, splits, settings.samples, methods, place, settings.seed)


def _make_metrics(batch: Batch, settings: AuditSettings) -> tuple[Metric, ...]:
    names = dict.fromkeys((*default_metrics(batch), *settings.metrics))
    return tuple(METRICS.make(name) for name in names)


def _count_methods(models: Sequence[AuditedModel]) -> str:
    names = list(dict.fromkeys(method.name for model in models for method in model.methods))
    return names[0] if len(names) == 1 else f"{len(names)} methods"


def _label(explained: Sequence[ExplainedModel]) -> dict[str, ExplainedModel]:
    """Name the arrays of the page by model and method, or by model alone for a single method."""
    single = len({item.method for item in explained}) == 1
    return {item.model if single else f"{item.model}/{item.method}": item for item in explained}
