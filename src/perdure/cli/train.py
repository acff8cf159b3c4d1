"""`perdure train`: train a named model and keep its weights."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from perdure.cli.console import print_json, print_line, print_table, show_progress
from perdure.cli.folder import keep_plan, name_folder
from perdure.cli.options import (
    DATA,
    DEVICE,
    ENGINE,
    JSON,
    MODEL,
    OUT,
    OUTPUTS,
    PRESET,
    RAY_ADDRESS,
    SEED,
    TRAIN_SETTINGS,
    WORKERS,
)

__all__ = ["train"]


def train(
    context: typer.Context,
    model: MODEL,
    data: DATA,
    outputs: OUTPUTS = None,
    seed: SEED = 0,
    seeds: Annotated[int, typer.Option(help="Training runs, with the seeds that follow --seed.")] = 1,
    preset: PRESET = "clean",
    train_settings: TRAIN_SETTINGS = "",
    engine: ENGINE = "local",
    workers: WORKERS = 1,
    ray_address: RAY_ADDRESS = None,
    device: DEVICE = "cpu",
    out: OUT = None,
    as_json: JSON = False,
) -> None:
    """Train a named model, once or from several seeds; each run is a function of its seed alone."""
    from perdure.cli.inputs import load_data, make_engine, read_training
    from perdure.cli.models import open_named, read_texts
    from perdure.core.spec import name_of
    from perdure.data._digest import digest_splits
    from perdure.engine.pool import run_pieces
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import hold_run
    from perdure.training.checkpoint import load_checkpoint
    from perdure.training.train import Runs

    pool = make_engine(engine, workers, ray_address)
    source, training = open_named(model, outputs=outputs), read_training(preset, train_settings)
    loaded = load_data(data, seed)
    config, splits = source.trainable, read_texts((source,), loaded)
    source.rehearse(splits, device)
    folder = out or name_folder(context, f"train-{model}-{data}-{seed}", "model", "data", "seed", "seeds")
    described = {"name": name_of(config), **asdict(config), "source": source.described}
    identity = {"data": data, "data_digest": digest_splits(loaded)}
    context.with_resource(
        hold_run(folder, {"model": described, **identity, "seed": seed, "training": asdict(training), "device": device})
    )
    keep_plan(context, folder, ExpectedFiles("trainings", "seed-*/model.yaml", seeds))
    runs = Runs(config, splits, training, folder, device=device)
    numbers = list(range(seed, seed + seeds))
    with show_progress(f"training {model}") as progress:
        run_pieces(runs, numbers, pool, progress)
    records = [{"folder": str(runs.place(n)), **load_checkpoint(runs.place(n), config)[1].extra} for n in numbers]
    if as_json:
        print_json(records)
        return
    accuracies = ("validation_accuracy", "test_accuracy")
    rows = [(str(row["seed"]), *(f"{row[name]:.3f}" for name in accuracies), row["folder"]) for row in records]
    print_table(f"{model} on {data}", ("seed", "validation accuracy", "test accuracy", "folder"), rows)
    use = (
        f"perdure explain {model} DATA --weights FOLDER"
        if source.spec.needs_user_code
        else "perdure explain FOLDER DATA"
    )
    print_line(f"\nuse a folder in place of a model: {use}")
