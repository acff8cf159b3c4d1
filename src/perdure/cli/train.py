"""`perdure train`: train a named model and keep its weights."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from perdure.cli.console import bar, print_json, print_table, say
from perdure.cli.engine import DEVICE, ENGINE, RAY_ADDRESS, WORKERS, chosen_engine
from perdure.cli.folder import default_folder
from perdure.cli.models import asks_for_code, read_by, resolve
from perdure.cli.plan import keep_plan
from perdure.cli.sources import DATA, JSON, MODEL, OUT, OUTPUTS, PRESET, SEED, TRAIN_SETTINGS, load_data, make_training

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
    from perdure.core.spec import name_of
    from perdure.engine.pool import run_pieces
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import open_run
    from perdure.training.checkpoint import load_checkpoint
    from perdure.training.train import Runs

    shared = chosen_engine(engine, workers, ray_address)
    source, how = resolve(model, outputs=outputs), make_training(preset, train_settings)
    config, splits = source.trainable, read_by((source,), load_data(data, seed))
    source.untrained(splits, device)
    folder = out or default_folder(context, f"train-{model}-{data}-{seed}", "model", "data", "seed", "seeds")
    described = {"name": name_of(config), **asdict(config), "source": source.described}
    open_run(folder, {"model": described, "data": data, "seed": seed, "training": asdict(how), "device": device})
    keep_plan(context, folder, ExpectedFiles("trainings", "seed-*/model.yaml", seeds))
    runs = Runs(config, splits, how, folder, device=device)
    wanted = list(range(seed, seed + seeds))
    with bar(f"training {model}") as progress:
        run_pieces(runs, wanted, shared, progress)
    found = [{"folder": str(runs.place(one)), **load_checkpoint(runs.place(one), config)[1].extra} for one in wanted]
    if as_json:
        print_json(found)
        return
    accuracies = ("validation_accuracy", "test_accuracy")
    rows = [(str(one["seed"]), *(f"{one[name]:.3f}" for name in accuracies), one["folder"]) for one in found]
    print_table(f"{model} on {data}", ("seed", "validation accuracy", "test accuracy", "folder"), rows)
    use = f"perdure explain {model} DATA --weights FOLDER" if asks_for_code(model) else "perdure explain FOLDER DATA"
    say(f"\nuse a folder in place of a model: {use}")
