"""The record of one path: its barrier, and performance and explanations along it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from perdure.core.attribution import Attribution
from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_choice, check_counts
from perdure.core.digest import digest_tensors
from perdure.core.errors import RunFolderError, SettingError
from perdure.core.estimate import Estimate, write_estimate
from perdure.core.method import Method
from perdure.core.random import stream
from perdure.core.registry import METHODS
from perdure.core.spec import slug
from perdure.data._splits import Splits
from perdure.engine.explain import fit_method
from perdure.landscape.barrier import measure_barrier
from perdure.landscape.path import Chain, Path, space_evenly
from perdure.landscape.route import KINDS, PathSearch, Route
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.position import to_positions
from perdure.ops.similarity import Similarity
from perdure.records.attributions import attribution_table
from perdure.records.parts import write_part
from perdure.records.place import exists
from perdure.records.record import read_record, write_record
from perdure.stability.agreement import RunExplanations
from perdure.stability.along_path import (
    Drift,
    Explainer,
    evaluate_along_path,
    explain_along_path,
    follow_clusters,
    measure_drift,
)
from perdure.stability.checks import check_comparable
from perdure.stability.explain_runs import count_types, name_types
from perdure.stability.measures import choose_similarities
from perdure.stability.vectors import Vectors, pool_by_event, pool_by_position

__all__ = ["PathInputs", "PathSettings", "explain_along_route", "make_explainer", "measure_height", "select_inputs"]


@dataclass(frozen=True)
class PathSettings:
    """Kinds of paths, and what is measured along them.

    Args:
        kinds: Kinds of paths from `KINDS`, in the order of the page.
        methods: Attribution methods by registry name, with settings; the answer rests on the first.
        allowed: Most that the loss of a tracked path may lie above that of the worse end, in nats; None lets
            it rise as far as is needed.
        align: Whether to match the units of both runs first, where the symmetries of the model are known.
        points: Number of points of a path at equal arc length, both ends included.
        samples: Test samples to explain, at most.
        clusters: Number of clusters of explanations.
        seed: Seed for all random draws.

    Raises:
        SettingError: For a value that cannot be used.
    """

    kinds: tuple[str, ...] = ("linear", "bezier", "valley")
    methods: tuple[str, ...] = ("gradient",)
    allowed: float | None = None
    align: bool = True
    points: int = 13
    samples: int = 128
    clusters: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for kind in self.kinds:
            check_choice("kind", kind, KINDS)
        for what, part in (("kind of path", self.kinds), ("attribution method", self.methods)):
            if not part or len(set(part)) < len(part):
                raise SettingError(f"each {what} is to be named once, but they are {part}", "name at least one, once")
        check_counts(points=self.points - 1, samples=self.samples, clusters=self.clusters)
        if self.allowed is not None and not self.allowed >= 0:
            raise SettingError(f"allowed is {self.allowed}", "give a loss increase of at least 0, or leave it out")
        if "published" in self.kinds and self.allowed is None:
            raise SettingError(
                "the published tracking needs to know how far the loss may rise",
                "give allowed, for example the increase that 'valley' needs",
            )


BARRIER_POINTS = 61
"""Number of points at which the loss of a path is measured."""

LENGTH_POINTS = 501
"""Number of points of the chain that measures the length of a curve."""

TOP = 3
"""Number of top types of a sample."""

TYPES = 8
"""Largest number of event types on a page."""

RARE = 0.05
"""Fraction of samples in which a type must occur to be on a page."""

_SECOND = 1.959963984540054
"""Half width of the central 95 % of the standard normal distribution."""

_RECORD = "along"


@dataclass(frozen=True, eq=False)
class PathInputs:
    """Samples that are predicted and explained along every path.

    Args:
        splits: Data; the model does well or badly on all test samples.
        batch: Test samples that are explained.
        types: Names of what the explanations give values to: event types, or places of the input.
    """

    splits: Splits
    batch: Batch
    types: tuple[str, ...]


def select_inputs(splits: Splits, samples: int) -> PathInputs:
    """Select the samples to explain.

    Args:
        splits: Data of the runs.
        samples: Test samples to explain, at most.

    Returns:
        The first test samples, with event types where they have any.
    """
    return PathInputs(splits, slice_batch(splits.test, slice(0, samples)), name_types(splits))


def measure_height(search: PathSearch, route: Route) -> float:
    """Measure the barrier of a route.

    Args:
        search: Search that returned the route.
        route: Path.

    Returns:
        Its height in nats.
    """
    return measure_barrier(search.surface, route.path, torch.Generator(), BARRIER_POINTS, draws=1).height


def explain_along_route(
    search: PathSearch, route: Route, settings: PathSettings, shown: PathInputs, null: float
) -> tuple[Mapping[str, Any], Mapping[str, np.ndarray]]:
    """Predict and explain along a route, or load the stored result.

    Args:
        search: Search that returned the route.
        route: Path.
        settings: Methods, points and clusters.
        shown: Samples to predict and explain.
        null: Barrier of the straight line.

    Returns:
        The plain record of the kind with its agreements, and the arrays of the page.
    """
    place = search.place(route.kind)
    digest = digest_tensors(
        {f"{k} {name}": value for k, point in enumerate(route.path.points) for name, value in point.items()}
    )
    if exists(place / f"{_RECORD}.json"):
        try:
            record, arrays = read_record(place, _RECORD)
        except RunFolderError as error:
            warnings.warn(f"{error.cause}; it is computed again", stacklevel=2)
        else:
            if record.pop("digest_of_path", None) == digest:  # otherwise the search was resumed since
                return record, arrays
    record, arrays = _explain_along(search, route, settings, shown, null)
    write_record(place, _RECORD, {**record, "digest_of_path": digest}, arrays)
    return record, arrays


def _explain_along(
    search: PathSearch, route: Route, settings: PathSettings, shown: PathInputs, null: float
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    kind = route.kind
    search.report(f"{kind}: loss at {BARRIER_POINTS} points")
    points = space_evenly(route.path, settings.points).points
    done = evaluate_along_path(search.surface, points, shown.splits.test)
    arrays = {f"{name}/{kind}": getattr(done, name).numpy() for name in ("t", "loss", "accuracy", "f1")}
    agreements = []
    for name in settings.methods:
        search.report(f"{kind}: explaining by {name} at {len(points)} points")
        explainer = replace(
            make_explainer(name, shown, settings.seed),
            store=partial(_store_maps, search, kind, name, len(points), shown),
        )
        runs = explain_along_path(search.surface, points, shown.batch, explainer)
        if kind == settings.kinds[0]:  # all kinds have the same ends
            check_comparable({name: (runs[0], runs[-1])}, search.ends.names, shown.splits, shown.types)
        place = f"{kind}/{slug(name)}"
        numbers, drift_arrays = _measure_drifts(runs, name, place, stream(settings.seed, "along", kind, name))
        agreements += [{"kind": kind, "method": name, "number": write_estimate(number)} for number in numbers]
        followed = follow_clusters(runs, settings.clusters, stream(settings.seed, "flow", kind, name))
        arrays |= drift_arrays | {f"ari/{place}": followed.ari.numpy(), f"flow/{place}": followed.label.numpy()}
        top = _find_top_types(runs[0].vectors)
        arrays[f"top_types/{slug(name)}"] = top.numpy()
        arrays[f"top/{place}"] = np.stack([_average_types(run.vectors)[top].numpy() for run in runs])
        arrays[f"top_values/{place}"] = np.stack([_list_values(run.vectors, top) for run in runs])
    return {"kind": _record_kind(search, route, null), "agreements": agreements}, arrays


def _list_values(vectors: Vectors, top: Tensor) -> np.ndarray:
    """List the values of the top types in each sample, NaN where a type is absent."""
    values: np.ndarray = vectors.values.float().masked_fill(~vectors.present, torch.nan)[:, top].numpy()
    return values


def _store_maps(
    search: PathSearch,
    kind: str,
    method: str,
    points: int,
    shown: PathInputs,
    point: int,
    attribution: Attribution,
    predicted: Tensor,
) -> None:
    """Store the maps of one point of a path, each word of a text as a whole, for 'perdure view'."""
    batch, label = shown.batch, predicted.cpu()
    if batch.text:
        attribution = replace(attribution, values=to_positions(attribution.values), dims=attribution.dims[:2])
    table = attribution_table(
        attribution, batch, label, label, split="test", model=f"{kind} {point / (points - 1):.2f}", seed=search.seed
    )
    write_part(search.folder / "maps" / kind / slug(method), point, table)


def _record_kind(search: PathSearch, route: Route, null: float) -> dict[str, Any]:
    generator = stream(search.seed, "bootstrap", route.kind)
    barrier = measure_barrier(search.surface, route.path, generator, BARRIER_POINTS)
    error = barrier.noise / NormalDist().inv_cdf(0.95)
    low, high = max(0.0, barrier.height - _SECOND * error), barrier.height + _SECOND * error
    number = Estimate(
        barrier.height, null, 0.0, (low, high), search.surface.size, "barrier", "nats", higher_is_better=False
    )
    return {
        "kind": route.kind,
        "barrier": write_estimate(number),
        "increase": barrier.increase,
        "noise": barrier.noise,
        "inside_noise": barrier.inside_noise,
        "passes": route.passes,
        "ended": route.ended,
        "length": _measure_length(route.path),
    }


def _measure_length(path: Path) -> float:
    return path.length if isinstance(path, Chain) else space_evenly(path, LENGTH_POINTS).length


def make_explainer(name: str, shown: PathInputs, seed: int) -> Explainer:
    """Combine a method with the pooling of its attributions.

    Args:
        name: Method with settings.
        shown: Samples to explain.
        seed: Seed for the random draws of the method.

    Returns:
        The method for any model, with its pooling to vectors.
    """
    types = count_types(shown.splits)
    vectors = pool_by_position if types is None else partial(pool_by_event, types=types)
    return Explainer(partial(_fit_method, name, shown.splits.train), vectors, seed)


def _fit_method(name: str, seen: Batch, model: nn.Module) -> Method:
    return fit_method(METHODS.make(name), model, seen)


def _measure_drifts(
    runs: Sequence[RunExplanations], method: str, place: str, generator: torch.Generator
) -> tuple[list[Estimate], dict[str, np.ndarray]]:
    """Measure the drift of every measure; a measure without a comparable sample has no number."""
    numbers, arrays = [], {}
    for similarity in choose_similarities(method, TOP):
        drift, name = measure_drift(runs, similarity, generator), similarity.name
        arrays[f"drift/{place}/{name}"] = drift.ends.numpy()
        arrays[f"neighbour/{place}/{name}"] = drift.neighbour.numpy()
        numbers += _estimate_agreement(similarity, drift, generator)
    return numbers, arrays


def _estimate_agreement(similarity: Similarity, drift: Drift, generator: torch.Generator) -> list[Estimate]:
    """Average the agreement with the first end over all other points, and give its interval over samples."""
    by_sample = drift.first[1:].nanmean(0)
    by_sample = by_sample[~by_sample.isnan()]
    if not len(by_sample):
        return []
    low, high = bootstrap_interval(by_sample, generator)
    return [
        Estimate(
            float(by_sample.mean()),
            drift.null,
            drift.ceiling,
            (float(low), float(high)),
            len(by_sample),
            similarity.name,
            higher_is_better=similarity.higher_is_better,
        )
    ]


def _find_top_types(vectors: Vectors) -> Tensor:
    """Choose the types with the largest mean size, of those that are not rare."""
    frequency = vectors.present.double().mean(0)
    sizes = _average_types(Vectors(vectors.values.abs(), vectors.present)).masked_fill(frequency < RARE, -torch.inf)
    count = min(TYPES, int((frequency >= RARE).sum()))
    return sizes.topk(count).indices


def _average_types(vectors: Vectors) -> Tensor:
    """Average each type over the samples in which it occurs."""
    return vectors.values.double().sum(0) / vectors.present.sum(0).clamp_min(1)
