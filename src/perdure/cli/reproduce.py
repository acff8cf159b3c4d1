"""`perdure reproduce`: train a model many times, and see whether every run is explained the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import bar, format_cells, print_json, print_table, say
from perdure.cli.engine import BATCH_SIZE, DEVICE, ENGINE, RAY_ADDRESS, WORKERS, chosen_engine
from perdure.cli.folder import default_folder
from perdure.cli.model_source import ModelSource
from perdure.cli.models import factory_of, read_by, resolve
from perdure.cli.pages import record_and_page
from perdure.cli.plan import keep_plan
from perdure.cli.sources import (
    DATA,
    FACTORY,
    JSON,
    METHOD,
    OUT,
    OUTPUTS,
    PRESET,
    SEED,
    TRAIN_SETTINGS,
    load_data,
    make_training,
    read_as,
)
from perdure.core.errors import SettingError
from perdure.records.folders import MODEL, wrong_folder_error
from perdure.records.place import exists
from perdure.records.plan import ExpectedFiles

if TYPE_CHECKING:
    from torch import nn

    from perdure.audit.reproduction import Reproduction
    from perdure.core.abilities import Architecture
    from perdure.data._splits import Splits
    from perdure.engine.pool import Engine
    from perdure.training.settings import Training

__all__ = ["reproduce", "train_runs"]


def reproduce(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A name from 'perdure list models', with settings; or a folder of trained runs.")
    ],
    data: DATA,
    outputs: OUTPUTS = None,
    runs: Annotated[int, typer.Option(help="Training runs of a named model; five or more tell how far they vary.")] = 8,
    vary: Annotated[
        str, typer.Option(help="What differs: the 'seed' of all that training draws, or a 'bootstrap' of its samples.")
    ] = "seed",
    folders: Annotated[list[Path], typer.Option(help="A further trained folder as a run; repeatable.")] = [],  # noqa: B006
    factory: FACTORY = "",
    method: METHOD = [],  # noqa: B006
    samples: Annotated[int, typer.Option(help="Test samples to explain, at most.")] = 128,
    top: Annotated[int, typer.Option(help="How many types count as the top ones of a sample.")] = 3,
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
    """Ask whether a retrained model would be explained the same way; write the answer as an HTML page.

    A named model is trained many times; the runs of a folder are taken as they are. Bootstraps keep the first weights
    and the order of samples, so that only the samples differ. The same command goes on where it was interrupted.
    """
    from dataclasses import asdict

    from perdure.audit.reproduce import ReproduceSettings, choose_methods, run_reproduce
    from perdure.core.batch import slice_batch
    from perdure.core.registry import METHODS
    from perdure.engine.explain import shard_count
    from perdure.records.run import open_run
    from perdure.report.pages.write import write_page
    from perdure.stability.members import Ensemble, find_failures
    from perdure.training.checkpoint import load_checkpoint

    for name in method:
        METHODS.make(name)
    shared = chosen_engine(engine, workers, ray_address)
    how, splits = make_training(preset, train_settings), load_data(data, seed)
    there, source = _found(model, folders, runs, outputs)
    config = source.architecture if source else factory_of(factory, outputs)
    example, splits = _example(source, there, config, splits, device)
    methods = tuple(method) or choose_methods(example, splits.test)
    _rehearse(example, methods, splits)
    settings = ReproduceSettings(methods, samples, top, seed)
    made = {"runs": runs, "vary": vary, "training": asdict(how)} if source else {}
    digests = {name: load_checkpoint(path, config)[1].digest for name, path in there.items()}
    folder = out or default_folder(context, f"reproduce-{model}-{data}-{vary}-{seed}", "model", "data", "vary", "seed")
    named = {"model": model, "described": source.described if source else digests, "data": data}
    run = open_run(folder, {**named, **asdict(settings), **made, "device": device})
    trainings = [ExpectedFiles("trainings", f"runs/{vary}-*/model.yaml", runs)] * (source is not None)
    parts = len(methods) * shard_count(slice_batch(splits.test, slice(0, samples)))
    keep_plan(context, folder, *trainings, *_explained((len(there) or runs) * parts))
    if source:
        there = train_runs(source, splits, how, range(seed, seed + runs), (vary, folder / "runs", shared), device)
    ensemble = Ensemble(there, config, shared, device)
    keep_plan(context, folder, *trainings, *_explained((len(there) - len(find_failures(ensemble))) * parts))
    with bar("explaining") as progress:
        result = run_reproduce(ensemble, splits, settings, run, progress)
    page = write_page(folder, result)
    if as_json:
        print_json({**result.to_dict(), "page": str(page)})
    else:
        _print(result, page)


def train_runs(
    source: ModelSource,
    splits: Splits,
    how: Training,
    seeds: Sequence[int],
    where: tuple[str, Path, Engine],
    device: str = "cpu",
) -> dict[str, Path]:
    """Train what is not yet trained; a run that fails leaves a note.

    Args:
        source: a model that can be trained.
        splits: the data.
        how: to train.
        seeds: of the runs.
        where: what varies, the folder for the runs, and what shares them out.
        device: where each worker trains.

    Returns:
        The folder of each run by its name.
    """
    from perdure.engine.pool import run_pieces
    from perdure.training.many import TrainingJobs
    from perdure.training.train import Runs

    vary, folder, shared = where
    runs = Runs(source.trainable, splits, how, folder, None, vary, seeds[0], device)  # type: ignore[arg-type]
    with bar(f"training {source.name}") as progress:
        run_pieces(TrainingJobs(runs), seeds, shared, progress)
    return {f"{vary} {one}": runs.place(one) for one in seeds}


def _found(
    model: str, folders: Sequence[Path], runs: int, outputs: str | None
) -> tuple[dict[str, Path], ModelSource | None]:
    """Find the runs that are there, or else the model to train so many times."""
    if runs < 2:
        raise SettingError(f"--runs {runs} leaves nothing to compare", "ask for at least two runs, better five")
    if folders or exists(Path(model)):
        return _trained([Path(model), *folders]), None
    source = resolve(model, outputs=outputs)
    if source.load is not None:
        raise SettingError(
            f"'{model}' is one trained model", "name a model to train, or give further runs as --folders"
        )
    return {}, source


def _example(
    source: ModelSource | None, there: Mapping[str, Path], config: Architecture | None, splits: Splits, device: str
) -> tuple[nn.Module, Splits]:
    """Give a model of the runs, and the data as it reads them."""
    from perdure.training.checkpoint import load_checkpoint

    if source is None:
        model = load_checkpoint(next(iter(there.values())), config)[0]
        return model.to(device), read_as(model, splits)
    read = read_by((source,), splits)
    return source.untrained(read, device), read


def _explained(parts: int) -> tuple[ExpectedFiles, ...]:
    """Name what is written once the runs are trained."""
    return ExpectedFiles("maps", "maps/*/*/part-*.parquet", parts), *record_and_page("reproduce")


def _trained(folders: Sequence[Path]) -> dict[str, Path]:
    """Find the trained runs in folders: each is one, or holds several, as those of 'perdure train' and this command."""
    from perdure.training.checkpoint import is_finished

    found: dict[str, Path] = {}
    for folder in folders:
        if not exists(folder):
            raise wrong_folder_error(SettingError, folder, "holds no trained run", MODEL)
        inside = [path.parent for pattern in ("*", "runs/*") for path in sorted(folder.glob(f"{pattern}/model.yaml"))]
        some = [folder] if is_finished(folder) else inside
        if not some:
            raise wrong_folder_error(SettingError, folder, "holds no trained run", MODEL)
        for path in some:
            name = path.name.replace("-", " ", 1)
            found[name if name not in found else str(path)] = path
    return found


def _rehearse(model: nn.Module, methods: Sequence[str], splits: Splits) -> None:
    from perdure.stability.checks import check_methods

    check_methods(model, methods, splits.train)


def _print(result: Reproduction, page: Path) -> None:
    columns = ("method", "agreement of runs", "value", "95 % interval", "null", "ceiling")
    rows = [("", "predicted alike", *format_cells(result.alike))]
    rows += [(method, number.name, *format_cells(number)) for method, number in result.agreements]
    rows += [(method, f"Spearman, {remedy}", *format_cells(number)) for method, remedy, number in result.remedies]
    print_table(f"{result.title} · {result.subtitle}", columns, rows)
    if result.variance:
        parts = ", ".join(f"{part} {fraction:.0%}" for part, fraction in result.variance)
        say(f"\nwhat ranks depend on: {parts}")
    say(f"\n{result.answer}\n\npage: {page}")
