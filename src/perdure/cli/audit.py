"""`perdure audit`: a model and data in, verdicts and their page out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import bar, format_cells, print_json, print_table, say
from perdure.cli.engine import BATCH_SIZE, DEVICE, ENGINE, RAY_ADDRESS, WORKERS, chosen_engine
from perdure.cli.folder import default_folder
from perdure.cli.model_source import ModelSource
from perdure.cli.models import read_by, resolve_all
from perdure.cli.pages import record_and_page
from perdure.cli.plan import keep_plan
from perdure.cli.sources import (
    DATA,
    JSON,
    METHOD,
    METRIC,
    MODEL,
    OUT,
    OUTPUTS,
    PRESET,
    SEED,
    TRAIN_SETTINGS,
    WEIGHTS,
    load_data,
    make_training,
)
from perdure.records.plan import ExpectedFiles

if TYPE_CHECKING:
    from perdure.audit.result import Audit
    from perdure.audit.settings import AuditSettings
    from perdure.data._splits import Splits
    from perdure.engine.pool import Engine
    from perdure.stability.members import Ensemble, TrainedModel
    from perdure.training.settings import Training

__all__ = ["audit"]

GIVEN = (
    "To ask, name what it was before: an architecture, a factory, or the model that a text classifier began from, "
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
    samples: Annotated[int, typer.Option(help="Test samples to explain, at most.")] = 128,
    runs: Annotated[
        int, typer.Option(help="Training runs of each named model, to ask whether another shows the same; 0: none.")
    ] = 0,
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
    """Ask whether the explanations of a model can be trusted; write the verdicts as an HTML page.

    A named model is trained first; a trained folder is loaded. The same command goes on where it was interrupted.
    """
    from perdure.audit.audit import run_audit
    from perdure.audit.modality import find_modality
    from perdure.audit.settings import AuditSettings
    from perdure.core.registry import METHODS, METRICS
    from perdure.records.run import open_run
    from perdure.report.pages.write import write_page
    from perdure.stability.checks import check_methods

    names, shared = (model, *compare), chosen_engine(engine, workers, ray_address)
    for room, given in ((METHODS, method), (METRICS, metric)):
        for name in given:
            room.make(name)
    how, sources = make_training(preset, train_settings), resolve_all(names, weights, outputs)
    splits = read_by(sources, load_data(data, seed))
    methods = tuple(method) or find_modality(splits.test).methods
    settings = AuditSettings(methods, tuple(metric), samples, runs=runs, seed=seed)
    for one in sources:
        check_methods(one.untrained(splits, device), methods, splits.train)
    folder = out or default_folder(
        context, f"audit-{'-'.join(names)}-{data}-{seed}", "model", "compare", "data", "seed", "runs"
    )
    described = {one.name: one.described for one in sources}
    asked = {name: value for name, value in asdict(settings).items() if name != "runs"}  # more may come, and be kept
    run = open_run(folder, {"models": described, "data": data, **asked, "training": asdict(how), "device": device})
    keep_plan(context, folder, *_trainings(sum(one.load is None for one in sources), runs), *record_and_page("audit"))
    candidates = [_candidate(one, splits, how, (folder, device), seed) for one in sources]
    further = {one.name: _runs(one, splits, how, (folder, shared, device), settings) for one in sources} if runs else {}
    with bar("explaining") as progress:
        result = run_audit(candidates, splits, settings, run, progress, further)
    page = write_page(folder, result)
    if as_json:
        print_json({**result.to_dict(), "page": str(page)})
    else:
        _print(result, page)


def _candidate(source: ModelSource, splits: Splits, how: Training, where: tuple[Path, str], seed: int) -> TrainedModel:
    from perdure.core.spec import slug
    from perdure.stability.members import TrainedModel

    folder, device = where
    place = folder / "models" / slug(source.name)
    with bar(f"{source.doing(place)} {source.name}") as progress:
        model = source.trained(splits, how, seed=seed, folder=place, progress=progress, device=device)
    return TrainedModel(source.name, model)


def _trainings(named: int, runs: int) -> Iterator[ExpectedFiles]:
    """Name the trainings of an audit of some named models."""
    if named:
        yield ExpectedFiles("trainings", "models/*/model.yaml", named)
    if named and runs > 1:
        yield ExpectedFiles("further trainings", "runs/*/seed-*/model.yaml", named * (runs - 1))


def _runs(
    source: ModelSource, splits: Splits, how: Training, where: tuple[Path, Engine, str], asked: AuditSettings
) -> Ensemble | str:
    """Train a model again with the seeds that follow, or say why that cannot be."""
    from perdure.cli.reproduce import train_runs
    from perdure.core.spec import slug
    from perdure.stability.members import Ensemble

    if source.load is not None:
        return f"How '{source.name}' was trained is not known here, so it was not trained again. {GIVEN}"
    (folder, shared, device), name = where, slug(source.name)
    seeds = range(asked.seed + 1, asked.seed + asked.runs)
    further = train_runs(source, splits, how, seeds, ("seed", folder / "runs" / name, shared), device)
    return Ensemble({f"seed {asked.seed}": folder / "models" / name, **further}, source.architecture, shared, device)


def _print(result: Audit, page: Path) -> None:
    rows = []
    for model in result.models:
        rows.append((model.name, "", "accuracy", *format_cells(model.accuracy)))
    for model in result.models:
        for method in model.methods:
            rows += [(model.name, method.name, score.name, *format_cells(score)) for score in method.scores]
    print_table(result.subtitle, ("model", "method", "number", "value", "95 % interval", "null", "ceiling"), rows)
    for model in result.models:
        for verdict in model.verdicts:
            say(f"\n{model.name}: {verdict.question} {verdict.answer.upper()}\n  {verdict.sentence}")
    say(f"\npage: {page}")
