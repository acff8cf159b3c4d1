"""`perdure explain`: maps of a trained model for a whole split, as Parquet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from perdure.cli.console import bar, print_json, say
from perdure.cli.engine import BATCH_SIZE, DEVICE, ENGINE, RAY_ADDRESS, WORKERS, chosen_engine
from perdure.cli.folder import default_folder
from perdure.cli.models import asks_for_code, read_by, resolve
from perdure.cli.plan import keep_plan
from perdure.cli.sources import (
    DATA,
    JSON,
    MODEL,
    OUT,
    OUTPUTS,
    PRESET,
    SEED,
    TRAIN_SETTINGS,
    WEIGHTS,
    load_batch,
    load_data,
    make_training,
    other_samples,
)

__all__ = ["ExplainSettings", "explain"]


@dataclass(frozen=True)
class ExplainSettings:
    """What a run folder of `perdure explain` keeps of its options.

    Args:
        model: as the user wrote it.
        weights: path of the weights; None for a model that has its own or is trained.
        data: as the user wrote it.
        method: attribution method with its settings.
        split: of the samples.
        limit: the most samples; None for all.
        seed: of all random draws.
        explained: "prediction" or "label".
        target: what is explained of that class.
        device: where the model computes.
        training: fields of the training setting.
        source: what the weights of the model follow from.
    """

    model: str
    weights: str | None
    data: str
    method: str
    split: str
    limit: int | None
    seed: int
    explained: str
    target: str
    device: str
    training: dict[str, Any]
    source: Any


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

    A named model is trained first; a trained one is loaded. The same command goes on where it was interrupted.
    """
    from perdure.core.check import check_choice
    from perdure.core.registry import METHODS
    from perdure.core.spec import add_digests
    from perdure.core.target import LABEL_TARGETS
    from perdure.engine.explain import ExplainJob, fit_method, shard_count
    from perdure.engine.explain import explain as run_explain
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import open_run
    from perdure.stability.checks import check_methods

    check_choice("explain_class", explain_class, ("prediction", "label"))
    check_choice("target", target, tuple(LABEL_TARGETS))
    shared = chosen_engine(engine, workers, ray_address)
    source, made, how = resolve(model, weights, outputs), METHODS.make(method), make_training(preset, train_settings)
    splits = read_by((source,), load_data(data, seed))
    batch = load_batch(splits, split, limit)
    untrained = source.untrained(splits, device)
    if source.load is None:
        check_methods(untrained, (method,), splits.train)
    folder = out or default_folder(
        context, f"explain-{model}-{data}-{method}-{split}", "model", "data", "method", "split"
    )
    kept = None if weights is None else str(weights)
    samples = (data, add_digests(method, made), split, limit, seed, explain_class, target)
    open_run(folder, vars(ExplainSettings(model, kept, *samples, device, asdict(how), source.described)))
    training_of = [ExpectedFiles("training", "model/model.yaml")] * (source.load is None)
    keep_plan(context, folder, *training_of, ExpectedFiles("maps", "maps/part-*.parquet", shard_count(batch)))
    with bar(f"{source.doing(folder / 'model')} {model}") as progress:
        trained = source.trained(splits, how, seed=seed, folder=folder / "model", progress=progress, device=device)
    maps = folder / "maps"
    fitted = fit_method(made, trained, other_samples(splits, split))
    work = ExplainJob(trained, batch, fitted, maps, model, split, seed, explain_class, target)  # type: ignore[arg-type]
    with bar("explaining") as progress:
        run_explain(work, shared, progress)
    if as_json:
        print_json({"folder": str(folder), "maps": str(maps), "samples": len(batch)})
    else:
        confirmed = f" --model {model}" if asks_for_code(model) else ""
        say(f"{len(batch)} maps: {maps}\njudge them: perdure evaluate {folder}{confirmed}")
