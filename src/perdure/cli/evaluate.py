"""`perdure evaluate`: evaluate the maps of an explaining run."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.console import bar, print_json, print_table, say
from perdure.cli.engine import BATCH_SIZE, DEVICE, ENGINE, RAY_ADDRESS, WORKERS, chosen_engine
from perdure.cli.explain import ExplainSettings
from perdure.cli.model_source import ModelSource
from perdure.cli.models import asks_for_code, read_by, resolve
from perdure.cli.pages import began
from perdure.cli.plan import keep_plan
from perdure.cli.sources import JSON, METRIC, load_batch, load_data, other_samples
from perdure.core.errors import CheckpointError, RunFolderError, SettingError
from perdure.core.estimate import write_estimate
from perdure.records.place import place

if TYPE_CHECKING:
    from perdure.core.estimate import Estimate

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    run: Annotated[
        Path, typer.Argument(parser=place, metavar="FOLDER", help="The folder or URL of 'perdure explain'.")
    ],
    metric: METRIC = [],  # noqa: B006
    model: Annotated[str, typer.Option(help="The factory that was explained: its code runs when you name it.")] = "",
    engine: ENGINE = "local",
    workers: WORKERS = 1,
    ray_address: RAY_ADDRESS = None,
    device: DEVICE = "cpu",
    batch_size: BATCH_SIZE = None,  # noqa: ARG001 - in effect by its callback
    as_json: JSON = False,
) -> None:
    """Judge stored maps; every score comes with its null and its ceiling.

    Without --metric: vanishing, and the metrics with truth where the data has one.
    """
    from perdure.core.registry import METHODS, METRICS
    from perdure.core.spec import add_digests, slug
    from perdure.engine.evaluate import EvaluateJob, default_metrics, evaluate_maps
    from perdure.engine.explain import fit_method, shard_count
    from perdure.engine.summaries import score_numbers, stored_scores
    from perdure.records.plan import ExpectedFiles
    from perdure.records.scores import Case
    from perdure.training.settings import Training

    shared = chosen_engine(engine, workers, ray_address)
    asked = _asked(run)
    source = _source(run, asked, model)
    splits, how = read_by((source,), load_data(asked["data"], asked["seed"])), Training(**asked["training"])
    explained = source.trained(splits, how, seed=asked["seed"], folder=run / "model", device=device)
    batch = load_batch(splits, asked["split"], asked["limit"])
    method = fit_method(METHODS.make(asked["method"]), explained, other_samples(splits, asked["split"]))
    names = tuple(metric) or default_metrics(batch)
    if not names:
        raise SettingError(f"no metric is asked for, and {asked['data']} has no truth", "name one: --metric insertion")
    judges = [METRICS.make(name) for name in names]
    names = tuple(add_digests(name, made) for name, made in zip(names, judges, strict=True))
    case = Case("evaluate", asked["data"], asked["model"], asked["method"], asked["seed"])
    parts = shard_count(batch)
    _tell_unfinished(run, parts)
    scored = [ExpectedFiles(f"scores by {name}", f"scores/{slug(name)}/part-*.parquet", parts) for name in names]
    keep_plan(context, run, *scored)
    numbers: dict[str, Estimate] = {}
    for made, name in zip(judges, names, strict=True):
        scores = run / "scores" / slug(name)
        with bar(f"scoring by {name}") as progress:
            evaluate_maps(
                EvaluateJob(explained, batch, run / "maps", (made,), scores, case, method),
                shared,
                progress,
            )
        numbers |= score_numbers(stored_scores(scores), asked["seed"])
    if as_json:
        print_json({name: write_estimate(number) for name, number in numbers.items()})
        return
    cells = [(n.name, *(f"{x:.4f}" for x in (n.value, n.low, n.high, n.null, n.ceiling))) for n in numbers.values()]
    print_table(f"{asked['method']} on {asked['data']}", ("metric", "value", "low", "high", "null", "ceiling"), cells)
    say(f"\nscores: {run / 'scores'}")


def _tell_unfinished(run: Path, wanted: int) -> None:
    from perdure.records.parts import finished_parts

    done = len(finished_parts(run / "maps"))
    if done < wanted:
        warnings.warn(
            f"{done} of {wanted} parts are explained, and only these are judged; 'perdure explain' goes on",
            stacklevel=2,
        )


def _asked(run: Path) -> dict[str, Any]:
    """Read the settings of an explaining run, each of which may have been changed by anyone.

    Raises:
        RunFolderError: when the run did not explain, or a setting cannot be one that 'perdure explain' wrote.
    """
    from perdure.core.spec import validate_settings
    from perdure.records.run import read_run
    from perdure.training.settings import Training

    config, kind = dict(read_run(run).config), began(run)
    if kind not in ("", "explain") or not {"method", "source", "data", "model"} <= config.keys():
        named = f"is a run of 'perdure {kind}' and " if kind else ""
        raise RunFolderError(f"{run} {named}holds no explanations", "give the folder that 'perdure explain' wrote")
    try:
        checked = validate_settings(ExplainSettings, config, str(run))
        return {**checked, "training": validate_settings(Training, checked["training"], f"{run}: training")}
    except SettingError as error:
        raise RunFolderError(error.cause, "restore run.yaml, or explain again in a new folder") from error


def _declared_outputs(source: Any) -> str | None:
    """Find the kind of outputs that was declared when a model was explained."""
    if not isinstance(source, dict):
        return None
    declared: str | None = source.get("outputs")
    return declared or _declared_outputs(source.get("model"))


def _source(run: Path, asked: dict[str, Any], model: str) -> ModelSource:
    """Find the model that was explained; a run folder may come from anyone, so it cannot name code to run.

    Raises:
        RunFolderError: when a factory was explained and is not named again.
        CheckpointError: when the model is another than it was.
    """
    from perdure.records.run import config_digest

    if asks_for_code(asked["model"]) and not model:
        raise RunFolderError(
            f"{run} holds maps of a factory, '{asked['model']}', and a run folder cannot have code run by itself",
            f"where you trust that code, name it: perdure evaluate {run} --model {asked['model']}",
        )
    weights = Path(asked["weights"]) if asked["weights"] else None
    source = resolve(model or asked["model"], weights, _declared_outputs(asked["source"]))
    if config_digest({"source": source.described}) != config_digest({"source": asked["source"]}):
        raise CheckpointError(
            f"'{source.name}' is another model than the one that was explained: its weights, settings or code differ",
            "explain again",
        )
    return source
