"""`perdure audit`: a model and data in, verdicts and their page out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import format_estimate, print_json, print_line, print_table, show_progress, warn
from perdure.cli.folder import keep_plan, name_folder
from perdure.cli.options import (
    BATCH_SIZE,
    DATA,
    DEVICE,
    ENGINE,
    JSON,
    METHOD,
    METRIC,
    MODEL,
    OUT,
    OUTPUTS,
    PRESET,
    RAY_ADDRESS,
    SEED,
    TRAIN_SETTINGS,
    WEIGHTS,
    WORKERS,
)
from perdure.records.plan import ExpectedFiles

if TYPE_CHECKING:
    from perdure.audit.result import Audit
    from perdure.audit.settings import AuditSettings
    from perdure.data._splits import Splits
    from perdure.engine.pool import Engine
    from perdure.stability.members import Ensemble, TrainedModel
    from perdure.training.model_source import ModelSource
    from perdure.training.settings import Training

__all__ = ["audit"]

UNMET = 1
"""The exit code where a requirement is not met."""

HOW_TO_RETRAIN = (
    "To train it again, name its architecture, its factory, or the model without a head of a text classifier, "
    "hf:FOLDER; or give several trained folders to 'perdure reproduce'."
)


def audit(
    context: typer.Context,
    model: MODEL,
    data: DATA,
    weights: WEIGHTS = None,
    outputs: OUTPUTS = None,
    compare: Annotated[list[str], typer.Option(help="A further model for the same page; repeatable.")] = [],  # noqa: B006
    method: METHOD = [],  # noqa: B006
    metric: METRIC = [],  # noqa: B006
    samples: Annotated[int, typer.Option(help="Maximum number of test samples to explain.")] = 128,
    runs: Annotated[
        int, typer.Option(help="Training runs of each named model, for the verdict across runs; 0: no verdict.")
    ] = 0,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time for the audit without trainings, such as 90s or 2m: it reduces the samples, and the methods "
            "where ten samples of all do not fit."
        ),
    ] = None,
    nearby: Annotated[
        bool,
        typer.Option(
            "--nearby",
            help="For a model without further runs, compare it with three short retrainings (up to 1000 steps each).",
        ),
    ] = False,
    require: Annotated[
        list[str],
        typer.Option(
            help="A question and its answer for the recommended method of every model, or the first where none is "
            "recommended, such as down_to_input=yes; exit code 1 where it is not met. Repeatable."
        ),
    ] = [],  # noqa: B006
    seed: SEED = 0,
    preset: PRESET = "clean",
    train_settings: TRAIN_SETTINGS = "",
    engine: ENGINE = "local",
    workers: WORKERS = 1,
    ray_address: RAY_ADDRESS = None,
    device: DEVICE = "cpu",
    batch_size: BATCH_SIZE = None,  # noqa: ARG001 - in effect by its callback
    out: OUT = None,
    as_json: JSON = False,
) -> None:
    """Check whether the explanations of a model can be trusted; write the verdicts as an HTML page.

    A named model is trained first; a trained folder is loaded. The same command resumes an interrupted run.
    """
    from perdure.audit.audit import run_audit
    from perdure.audit.budget import parse_duration
    from perdure.audit.modality import find_modality
    from perdure.audit.requirement import list_unmet, parse_requirement
    from perdure.audit.settings import AuditSettings
    from perdure.cli.inputs import load_data, make_engine, read_training
    from perdure.cli.models import open_models, read_texts
    from perdure.cli.pages import record_and_page
    from perdure.core.registry import METHODS, METRICS
    from perdure.data._digest import digest_splits
    from perdure.records.run import hold_run
    from perdure.report.pages.write import write_page
    from perdure.stability.checks import check_panel

    requirements = [parse_requirement(text) for text in require]
    names, pool = (model, *compare), make_engine(engine, workers, ray_address)
    for registry, requested in ((METHODS, method), (METRICS, metric)):
        for name in requested:
            registry.make(name)
    training, sources = read_training(preset, train_settings), open_models(names, weights, outputs)
    loaded = load_data(data, seed)
    splits = read_texts(sources, loaded)
    find_modality(splits.test)
    seconds = None if budget is None else parse_duration(budget)
    settings = AuditSettings(
        tuple(method) or None, tuple(metric), samples, runs=runs, nearby=nearby, seed=seed, budget=seconds
    )
    for source in sources:
        check_panel(source.rehearse(splits, device), method, splits.train)
    folder = out or name_folder(
        context, f"audit-{'-'.join(names)}-{data}-{seed}", "model", "compare", "data", "seed", "runs"
    )
    described = {source.name: source.described for source in sources}
    left = (
        ("runs", "nearby") if seconds is not None else ("runs", "nearby", "budget")
    )  # more runs may come, and be kept
    stored = {name: value for name, value in asdict(settings).items() if name not in left}
    identity = {"models": described, "data": data, "data_digest": digest_splits(loaded), **stored}
    run = context.with_resource(hold_run(folder, {**identity, "training": asdict(training), "device": device}))
    keep_plan(
        context, folder, *_trainings(sum(source.load is None for source in sources), runs), *record_and_page("audit")
    )
    candidates = [_train_or_load(source, splits, training, (folder, device), seed) for source in sources]
    place = (folder, pool, device)
    further = {source.name: _train_further(source, splits, training, place, settings) for source in sources if runs}
    with show_progress("explaining") as progress:
        result = run_audit(candidates, splits, settings, run, progress, further)
    page = write_page(folder, result)
    unmet = list_unmet(result, requirements)
    if as_json:
        print_json({**result.to_timed_dict(), "unmet": unmet, "page": str(page)})
    else:
        _print(result, page)
    for sentence in unmet:
        warn(sentence)
    if unmet:
        raise typer.Exit(UNMET)


def _train_or_load(
    source: ModelSource, splits: Splits, training: Training, where: tuple[Path, str], seed: int
) -> TrainedModel:
    from perdure.cli.models import describe_work, load_or_train_source
    from perdure.core.spec import slug
    from perdure.stability.members import TrainedModel

    folder, device = where
    place = folder / "models" / slug(source.name)
    with show_progress(describe_work(source, place)) as progress:
        model = load_or_train_source(
            source, splits, training, seed=seed, folder=place, progress=progress, device=device
        )
    return TrainedModel(source.name, model)


def _trainings(named: int, runs: int) -> Iterator[ExpectedFiles]:
    """List the trainings of an audit of named models."""
    if named:
        yield ExpectedFiles("trainings", "models/*/model.yaml", named)
    if named and runs > 1:
        yield ExpectedFiles("further trainings", "runs/*/seed-*/model.yaml", named * (runs - 1))


def _train_further(
    source: ModelSource, splits: Splits, training: Training, where: tuple[Path, Engine, str], settings: AuditSettings
) -> Ensemble | str:
    """Train a model again with the next seeds, or return why that is impossible."""
    from perdure.cli.runs import train_runs
    from perdure.core.spec import slug
    from perdure.stability.members import Ensemble

    if source.load is not None:
        return f"The training of '{source.name}' is unknown, so it was not trained again. {HOW_TO_RETRAIN}"
    (folder, engine, device), name = where, slug(source.name)
    seeds = range(settings.seed + 1, settings.seed + settings.runs)
    place = folder / "runs" / name
    further = train_runs(source, splits, training, seeds, vary="seed", folder=place, engine=engine, device=device)
    return Ensemble({f"seed {settings.seed}": folder / "models" / name, **further}, source.architecture, engine, device)


def _print(result: Audit, page: Path) -> None:
    """Print the table of methods and questions, the verdicts on the shown methods, and the recommendation."""
    from perdure.audit.table import COLUMNS, list_rows

    rows = [(model.name, *row) for model in result.models for row in list_rows(model)]
    print_table(result.subtitle, ("model", *COLUMNS), rows)
    for model in result.models:
        value, interval, null, _ = format_estimate(model.accuracy)
        shown = "" if model.shown is None else f"; verdicts on {model.shown.name}"
        print_line(f"\n{model.name}: accuracy {value} ({interval}; most frequent class {null}){shown}")
        for verdict in model.verdicts:
            print_line(f"\n{model.name}: {verdict.question} {verdict.answer.upper()}\n  {verdict.sentence}")
    for method in (method for model in result.models for method in model.methods if method.failure):
        print_line(f"\n{method.name} failed: {method.failure}")
    for note in result.notes:
        print_line(f"\n{note}")
    print_line(f"\n{result.answer}\n\npage: {page}")
