"""`perdure reproduce`: compare the explanations of several training runs of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import format_estimate, print_json, print_line, print_table, show_progress
from perdure.cli.folder import keep_plan, name_folder
from perdure.cli.options import (
    BATCH_SIZE,
    DATA,
    DEVICE,
    ENGINE,
    FACTORY,
    JSON,
    METHOD,
    OUT,
    OUTPUTS,
    PRESET,
    RAY_ADDRESS,
    SEED,
    TRAIN_SETTINGS,
    WORKERS,
)
from perdure.records.place import place
from perdure.records.plan import ExpectedFiles

if TYPE_CHECKING:
    from perdure.audit.reproduction import Reproduction

__all__ = ["reproduce"]


def reproduce(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A name from 'perdure list models', with settings; or a folder of trained runs.")
    ],
    data: DATA,
    outputs: OUTPUTS = None,
    runs: Annotated[
        int,
        typer.Option(help="Training runs of a named model; with five or more, the variation between runs is measured."),
    ] = 8,
    vary: Annotated[
        str, typer.Option(help="Difference between runs: the 'seed' of the training, or a 'bootstrap' of its samples.")
    ] = "seed",
    folders: Annotated[
        list[Path], typer.Option(parser=place, metavar="FOLDER", help="A further trained folder as a run; repeatable.")
    ] = [],  # noqa: B006
    factory: FACTORY = "",
    method: METHOD = [],  # noqa: B006
    samples: Annotated[int, typer.Option(help="Maximum number of test samples to explain.")] = 128,
    top: Annotated[int, typer.Option(help="Number of top types of a sample whose overlap is measured.")] = 3,
    engine: ENGINE = "local",
    workers: WORKERS = 1,
    ray_address: RAY_ADDRESS = None,
    device: DEVICE = "cpu",
    batch_size: BATCH_SIZE = None,  # noqa: ARG001 - in effect by its callback
    seed: SEED = 0,
    preset: PRESET = "clean",
    train_settings: TRAIN_SETTINGS = "",
    out: OUT = None,
    as_json: JSON = False,
) -> None:
    """Compare the explanations of retrained models; write the result as an HTML page.

    A named model is trained many times; the runs of a folder are used as they are. Bootstraps keep the first weights
    and the order of samples, so that only the samples differ. The same command resumes an interrupted run.
    """
    from dataclasses import asdict

    from perdure.audit.reproduce import ReproduceSettings, choose_methods, run_reproduce
    from perdure.cli.inputs import load_data, make_engine, read_training
    from perdure.cli.models import make_factory
    from perdure.cli.pages import record_and_page
    from perdure.cli.runs import find_runs, rehearse_runs, train_runs
    from perdure.core.batch import slice_batch
    from perdure.core.registry import METHODS
    from perdure.data._digest import digest_splits
    from perdure.engine.explain import shard_count
    from perdure.records.run import hold_run
    from perdure.report.pages.write import write_page
    from perdure.stability.checks import check_methods
    from perdure.stability.members import Ensemble, find_failures
    from perdure.training.checkpoint import load_checkpoint

    for name in method:
        METHODS.make(name)
    pool = make_engine(engine, workers, ray_address)
    training, splits = read_training(preset, train_settings), load_data(data, seed)
    trained, source = find_runs(model, folders, runs, outputs)
    config = source.architecture if source else make_factory(factory, outputs)
    digest = digest_splits(splits)
    example, splits = rehearse_runs(source, trained, config, splits, device)
    methods = tuple(method) or choose_methods(example, splits.test)
    check_methods(example, methods, splits.train)
    settings = ReproduceSettings(methods, samples, top, seed)
    trainings = {"runs": runs, "vary": vary, "training": asdict(training)} if source else {}
    digests = {name: load_checkpoint(path, config)[1].digest for name, path in trained.items()}
    folder = out or name_folder(context, f"reproduce-{model}-{data}-{vary}-{seed}", "model", "data", "vary", "seed")
    described = {
        "model": model,
        "described": source.described if source else digests,
        "data": data,
        "data_digest": digest,
    }
    run = context.with_resource(hold_run(folder, {**described, **asdict(settings), **trainings, "device": device}))
    files = [ExpectedFiles("trainings", f"runs/{vary}-*/model.yaml", runs)] * (source is not None)
    parts = len(methods) * shard_count(slice_batch(splits.test, slice(0, samples)))

    def plan(count: int) -> None:
        maps = ExpectedFiles("maps", "maps/*/*/part-*.parquet", count * parts)
        keep_plan(context, folder, *files, maps, *record_and_page("reproduce"))

    plan(len(trained) or runs)
    if source:
        seeds, place = range(seed, seed + runs), folder / "runs"
        trained = train_runs(source, splits, training, seeds, vary=vary, folder=place, engine=pool, device=device)
    ensemble = Ensemble(trained, config, pool, device)
    plan(len(trained) - len(find_failures(ensemble)))
    with show_progress("explaining") as progress:
        result = run_reproduce(ensemble, splits, settings, run, progress)
    page = write_page(folder, result)
    if as_json:
        print_json({**result.to_dict(), "page": str(page)})
    else:
        _print(result, page)


def _print(result: Reproduction, page: Path) -> None:
    columns = ("method", "agreement of runs", "value", "95 % interval", "null", "ceiling")
    rows = [("", "predicted alike", *format_estimate(result.alike))]
    rows += [(method, number.name, *format_estimate(number)) for method, number in result.agreements]
    rows += [(method, f"Spearman, {remedy}", *format_estimate(number)) for method, remedy, number in result.remedies]
    print_table(f"{result.title} · {result.subtitle}", columns, rows)
    if result.variance:
        parts = ", ".join(f"{part} {fraction:.0%}" for part, fraction in result.variance)
        print_line(f"\nvariance of ranks: {parts}")
    print_line(f"\n{result.answer}\n\npage: {page}")
