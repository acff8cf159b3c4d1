"""`perdure explain`: maps of a trained model for a whole split, as Parquet."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from perdure.cli.console import print_json, print_line, show_progress
from perdure.cli.folder import keep_plan, name_folder
from perdure.cli.options import (
    BATCH_SIZE,
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
    WEIGHTS,
    WORKERS,
)

__all__ = ["explain"]


def explain(
    context: typer.Context,
    model: MODEL,
    data: DATA,
    weights: WEIGHTS = None,
    outputs: OUTPUTS = None,
    method: Annotated[str, typer.Option(help="A name from 'perdure list methods', with settings.")] = "saliency",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    limit: Annotated[int | None, typer.Option(help="Explain the first samples only.")] = None,
    explain_class: Annotated[
        str, typer.Option(help="Class to explain: the 'prediction' or the 'label'.")
    ] = "prediction",
    target: Annotated[
        str, typer.Option(help="Explain its logit, probability, log_probability, log_odds or margin.")
    ] = "logit",
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
    """Explain every sample of a split; the maps go to Parquet parts that appear one by one.

    A named model is trained first; a trained one is loaded. The same command resumes an interrupted run.
    """
    from perdure.cli.explain_run import ExplainSettings
    from perdure.cli.inputs import load_batch, load_data, make_engine, read_training, select_fit_samples
    from perdure.cli.models import describe_work, load_or_train_source, open_named, read_texts
    from perdure.core.check import check_choice
    from perdure.core.registry import METHODS
    from perdure.core.spec import add_digests
    from perdure.core.target import LABEL_TARGETS
    from perdure.data._digest import digest_splits
    from perdure.engine.explain import SHARD, ExplainJob, blocks_per_part, fit_method, part_count
    from perdure.engine.explain import explain as explain_batch
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import hold_run
    from perdure.records.samples import write_samples
    from perdure.stability.checks import check_methods

    check_choice("explain_class", explain_class, ("prediction", "label"))
    check_choice("target", target, tuple(LABEL_TARGETS))
    pool = make_engine(engine, workers, ray_address)
    source, made = open_named(model, weights, outputs), METHODS.make(method)
    training = read_training(preset, train_settings)
    loaded = load_data(data, seed)
    splits = read_texts((source,), loaded)
    batch = load_batch(splits, split, limit)
    rehearsed = source.rehearse(splits, device)
    if source.load is None:
        check_methods(rehearsed, (method,), splits.train)
    folder = out or name_folder(context, f"explain-{model}-{data}-{method}-{split}", "model", "data", "method", "split")
    stored_weights = None if weights is None else str(weights)
    samples = (data, add_digests(method, made), split, limit, seed, explain_class, target)
    settings = ExplainSettings(
        model, stored_weights, *samples, device, asdict(training), source.described, digest_splits(loaded)
    )
    context.with_resource(hold_run(folder, vars(settings)))
    trainings = [ExpectedFiles("training", "model/model.yaml")] * (source.load is None)
    keep_plan(context, folder, *trainings, ExpectedFiles("maps", "maps/part-*.parquet", part_count(batch)))
    place = folder / "model"
    with show_progress(describe_work(source, place)) as progress:
        trained = load_or_train_source(
            source, splits, training, seed=seed, folder=place, progress=progress, device=device
        )
    maps, fitted = folder / "maps", fit_method(made, trained, select_fit_samples(splits, split))
    blocks = blocks_per_part(batch)
    write_samples(folder, batch, tuple(splits.classes), tuple(splits.feature_names), SHARD * blocks)
    names = (model, split, seed, explain_class, target)
    work = ExplainJob(trained, batch, fitted, maps, *names, blocks=blocks)  # type: ignore[arg-type]
    with show_progress("explaining") as progress:
        explain_batch(work, pool, progress)
    if as_json:
        print_json({"folder": str(folder), "maps": str(maps), "samples": len(batch)})
    else:
        factory = f" --model {model}" if source.spec.needs_user_code else ""
        print_line(f"{len(batch)} maps: {maps}\nevaluate them: perdure evaluate {folder}{factory}")
