"""Find paths between two training runs, and measure loss and explanations along them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from perdure.core.resources import single_thread
from perdure.core.spec import slug
from perdure.data._splits import Splits
from perdure.engine.pool import Engine, InProcess, run_pieces
from perdure.landscape.ends import PathEnds, align_ends
from perdure.landscape.route import PathSearch, find_route
from perdure.landscape.surface import ModelLoss
from perdure.records.record import write_record
from perdure.records.run import RunFolder
from perdure.records.samples import write_samples
from perdure.stability.checks import check_methods
from perdure.stability.path_record import PathInputs, PathSettings, explain_along_route, measure_height, select_inputs

__all__ = ["PathBudget", "find_paths"]


def _ignore(_line: str) -> None:
    """Ignore the message."""


@dataclass(frozen=True)
class PathBudget:
    """Time limit, callback and workers of the search for paths.

    Args:
        seconds: Time limit for each tracked path over all calls; no setting of the result, so that it can be raised.
        report: Callback that gets the progress as text.
        workers: Number of processes, or an engine; results do not depend on it unless the time limit cuts a search.
    """

    seconds: float = math.inf
    report: Callable[[str], None] = _ignore
    workers: int | Engine = 1


def find_paths(
    ends: PathEnds, splits: Splits, settings: PathSettings, run: RunFolder, watch: PathBudget | None = None
) -> Mapping[str, Any]:
    """Find paths between two training runs, predict and explain along them, and store the results in the run folder.

    The loss of a path is that of all training samples. Accuracy and F1 are those of all test samples, and the first of
    these are explained. All of it keeps to one thread, so that it can be repeated bit by bit.

    Args:
        ends: Runs.
        splits: Data of both.
        settings: Kinds of paths, methods and points.
        run: Open run; stored paths are loaded and trackings resumed.
        watch: Time limit, callback and workers.

    Returns:
        The record, also stored as `path.json`, with its arrays in `path.npz`.

    Raises:
        UnsupportedError: If a method cannot explain the model.
        NonFiniteError: If the loss of an end, or a gradient, is NaN or infinite.
    """
    watch = watch or PathBudget()
    check_methods(ends.model, settings.methods, splits.train)
    ends = align_ends(ends) if settings.align else ends
    if ends.remark:
        watch.report(ends.remark)
    report = watch.report if watch.workers in (1, InProcess()) else _ignore  # callbacks cannot cross processes
    surface = ModelLoss(ends.model, splits.train)
    search = PathSearch(surface, ends, run.path, watch.seconds, report, settings.allowed, settings.seed)
    shown = select_inputs(splits, settings.samples)
    write_samples(run.path, shown.batch, tuple(splits.classes), tuple(splits.feature_names), shard=len(shown.batch))
    with single_thread():
        null = measure_height(search, find_route(search, "linear"))
    lay = partial(_find_and_explain, search, settings, shown, null)
    run_pieces(lay, range(len(settings.kinds)), watch.workers, lambda done, of: watch.report(f"{done} of {of} paths"))
    with single_thread():
        result = [
            explain_along_route(search, find_route(search, kind), settings, shown, null) for kind in settings.kinds
        ]
    kinds = [record["kind"] for record, _ in result]
    agreements = [row for record, _ in result for row in record["agreements"]]
    arrays = {name: value for _, part in result for name, value in part.items()}
    record = {
        "title": " to ".join(ends.names),
        "subtitle": _write_subtitle(run, settings, len(shown.batch)),
        "answer": _write_answer(ends, kinds, agreements, arrays),
        "ends": list(ends.names),
        "aligned": _describe_alignment(ends),
        "remark": ends.remark,
        "methods": list(settings.methods),
        "kinds": kinds,
        "agreements": agreements,
        "classes": list(splits.classes),
        "types": list(shown.types),
        "provenance": {**run.config, "perdure": run.version, **run.environment},
    }
    return write_record(run.path, "path", record, arrays)


def _find_and_explain(search: PathSearch, settings: PathSettings, shown: PathInputs, null: float, index: int) -> None:
    """Find one of the paths and explain along it; both are stored."""
    explain_along_route(search, find_route(search, settings.kinds[index]), settings, shown, null)


def _describe_alignment(ends: PathEnds) -> dict[str, float] | None:
    return None if ends.alignment is None else {"before": ends.alignment.before, "after": ends.alignment.after}


def _write_subtitle(run: RunFolder, settings: PathSettings, samples: int) -> str:
    methods = ", ".join(settings.methods)
    return f"{run.config['data']} · {methods} · {samples} test samples · {settings.points} points"


def _write_answer(
    ends: PathEnds,
    kinds: Sequence[Mapping[str, Any]],
    agreements: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, np.ndarray],
) -> str:
    """Describe the lowest barrier, and the agreement of explanations at both ends of that path."""
    best = min(kinds, key=lambda kind: kind["barrier"]["value"])
    value, null = best["barrier"]["value"], best["barrier"]["null"]
    noise = "no more than the noise of the samples" if best["inside_noise"] else "more than the noise of the samples"
    low = f"The lowest path, {best['kind']}, has a barrier of {value:.3g} nats, {noise}"
    text = f"{low}; that of the straight line is {null:.3g}."
    row = next((row for row in agreements if row["kind"] == best["kind"] and row["number"]["name"] == "Spearman"), None)
    place = "" if row is None else f"{best['kind']}/{slug(row['method'])}"
    far = math.nan if row is None else float(arrays[f"drift/{place}/Spearman"][-1, 0])
    if row is None or math.isnan(far):
        return f"{text} No sample is predicted alike by {' and '.join(ends.names)}."
    number = row["number"]
    return (
        f"{text} Explained by {row['method']}, {ends.names[1]} agrees with {ends.names[0]} by {far:.2f} (Spearman; "
        f"{number['null']:.2f} by chance, {number['ceiling']:.2f} at best)."
    )
