"""`perdure evaluate`: scores of the maps of a run of `perdure explain`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import print_json, print_line, print_table, show_progress
from perdure.cli.folder import keep_plan
from perdure.cli.options import BATCH_SIZE, DEVICE, ENGINE, JSON, METRIC, RAY_ADDRESS, WORKERS
from perdure.core.errors import SettingError
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
    model: Annotated[
        str, typer.Option(help="The factory that was explained; naming it here allows its code to run.")
    ] = "",
    engine: ENGINE = "local",
    workers: WORKERS = 1,
    ray_address: RAY_ADDRESS = None,
    device: DEVICE = "cpu",
    batch_size: BATCH_SIZE = None,  # noqa: ARG001 - in effect by its callback
    as_json: JSON = False,
) -> None:
    """Evaluate stored maps; every score comes with its null and its ceiling.

    Without --metric: vanishing, and the metrics with truth where the data has one.
    """
    from perdure.cli.explain_run import check_explained_data, open_explained_model, read_explain_settings
    from perdure.cli.inputs import load_batch, load_data, make_engine, select_fit_samples
    from perdure.cli.models import load_or_train_source, read_texts
    from perdure.core.estimate import write_estimate
    from perdure.core.registry import METHODS, METRICS
    from perdure.core.spec import add_digests, slug
    from perdure.engine.evaluate import EvaluateJob, default_metrics, evaluate_maps
    from perdure.engine.explain import fit_method, part_count
    from perdure.engine.summaries import score_numbers, stored_scores
    from perdure.records.lock import one_writer
    from perdure.records.plan import ExpectedFiles
    from perdure.records.scores import Case

    pool = make_engine(engine, workers, ray_address)
    settings, training = read_explain_settings(run)
    data, seed = settings.data, settings.seed
    source = open_explained_model(run, settings, model)
    splits = load_data(data, seed)
    check_explained_data(run, settings, splits)
    context.with_resource(one_writer(run))
    splits = read_texts((source,), splits)
    trained = load_or_train_source(source, splits, training, seed=seed, folder=run / "model", device=device)
    batch = load_batch(splits, settings.split, settings.limit)
    method = fit_method(METHODS.make(settings.method), trained, select_fit_samples(splits, settings.split))
    names = tuple(metric) or default_metrics(batch)
    if not names:
        raise SettingError(f"no metric is named, and {data} has no truth", "name one: --metric insertion")
    metrics = [METRICS.make(name) for name in names]
    names = tuple(add_digests(name, made) for name, made in zip(names, metrics, strict=True))
    case = Case("evaluate", data, settings.model, settings.method, seed)
    parts = part_count(batch)
    _warn_unfinished(run, parts)
    files = [ExpectedFiles(f"scores by {name}", f"scores/{slug(name)}/part-*.parquet", parts) for name in names]
    keep_plan(context, run, *files)
    estimates: dict[str, Estimate] = {}
    for made, name in zip(metrics, names, strict=True):
        scores = run / "scores" / slug(name)
        with show_progress(f"scoring by {name}") as progress:
            job = EvaluateJob(trained, batch, run / "maps", (made,), scores, case, method)
            evaluated = evaluate_maps(job, pool, progress)
        estimates |= score_numbers(stored_scores(scores, evaluated), seed)
    if as_json:
        print_json({name: write_estimate(estimate) for name, estimate in estimates.items()})
        return
    columns = ("value", "low", "high", "null", "uniform", "ceiling", "p")
    cells = [(e.name, *(_format(getattr(e, name)) for name in columns)) for e in estimates.values()]
    print_table(f"{settings.method} on {data}", ("metric", *columns), cells)
    print_line(f"\nscores: {run / 'scores'}")


def _format(number: float | None) -> str:
    return "" if number is None else f"{number:.4f}"


def _warn_unfinished(run: Path, parts: int) -> None:
    from perdure.records.parts import finished_parts

    done = len(finished_parts(run / "maps"))
    if done < parts:
        warnings.warn(
            f"{done} of {parts} parts are explained, and only these are evaluated; 'perdure explain' computes the rest",
            stacklevel=2,
        )
