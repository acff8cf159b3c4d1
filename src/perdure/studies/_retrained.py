"""The runs of one model compared: agreement, barriers, ways and remedies, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.errors import EmptyDataError
from perdure.core.estimate import Estimate
from perdure.core.random import stream
from perdure.ops.correlation import spearman
from perdure.ops.pairs import pair_correlation, pair_interval, pair_mean
from perdure.ops.variance import shares
from perdure.stability.agreement import Agreement, RunExplanations, measure_sample_agreement
from perdure.stability.along_path import measure_drift
from perdure.stability.measures import (
    choose_similarities,
    compare_clusters,
    compare_samples,
    estimate_consistency,
    estimate_equal_predictions,
)
from perdure.stability.remedies import average_vectors, measure_mean_agreement
from perdure.stability.variance import split_variance
from perdure.studies._figures import seed_interval
from perdure.studies._table import Row
from perdure.studies._ways import KINDS, MIDDLE, way

__all__ = ["Retrained", "rows_of"]

CLUSTERS = 2
"""As in the paper."""

TOP = 3
PLACED = ("Spearman", f"top-{TOP} Jaccard")
"""Measures by which methods are compared."""

PARTS = {("site",): "sequence and type", ("method", "site"): "method", ("run", "site"): "run"}


@dataclass(frozen=True, eq=False)
class Retrained:
    """What the runs of one model say.

    Args:
        dataset: its name.
        model: its name.
        seeds: of the runs; each has ways to the next, the last one to the first.
        told: by method, what each run says at all points of its ways; the first point is the run.
        label: of the samples.
        heights: barriers of pairs by kind of path; NaN where none was laid.
    """

    dataset: str
    model: str
    seeds: tuple[int, ...]
    told: Mapping[str, Sequence[Sequence[RunExplanations]]]
    label: Int[Tensor, " sample"]
    heights: Mapping[str, Float[Tensor, "run run"]]

    def runs(self, method: str) -> list[RunExplanations]:
        """List what each run says by a method."""
        return [points[0] for points in self.told[method]]

    def row(self, method: str, metric: str, estimate: Estimate, seed: str = "all") -> Row:
        """Make a row of an estimate."""
        numbers = estimate.value, estimate.null, estimate.ceiling
        return Row(self.dataset, self.model, method, metric, seed, *numbers, *(estimate.interval or (None, None)))

    def rows(
        self,
        method: str,
        metric: str,
        value: float,
        null: float,
        ceiling: float,
        interval: tuple[float, float] | None = None,
        seed: str = "all",
    ) -> list[Row]:
        """Make a row of a value; none of a value that is NaN."""
        return [] if isnan(value) else [self.row(method, metric, Estimate(value, null, ceiling, interval), seed)]


def rows_of(some: Retrained) -> list[Row]:
    """Compare the runs of a model in every way.

    Args:
        some: what they say.

    Returns:
        The rows; those without a number are left out.
    """
    found = {method: _agreements(some, method) for method in some.told}
    rows = [some.row("", "predicted alike", estimate_equal_predictions(some.runs(next(iter(some.told))), 0).estimate)]
    rows += [some.row(method, name, one.estimate) for method, all_ in found.items() for name, one in all_.items()]
    rows += [*_against_first(some, found), *_variance(some), *_barriers(some, found), *_ways(some)]
    for method in some.told:
        rows += [*_means(some, method), *_averaged(some, method)]
    return rows


def _agreements(some: Retrained, method: str) -> dict[str, Agreement]:
    runs = some.runs(method)
    found = [compare_samples(runs, similarity, 0) for similarity in choose_similarities(method, TOP)]
    found += compare_clusters(runs, CLUSTERS, 0)
    found += [Agreement(estimate, torch.empty(0)) for estimate in estimate_consistency(runs, some.label, 0)]
    return {agreement.estimate.name: agreement for agreement in found}


def _against_first(some: Retrained, found: Mapping[str, Mapping[str, Agreement]]) -> Iterator[Row]:
    """Compare the methods with the first by how far each is on its way from null to ceiling."""
    first, *others = found
    for method in others:
        for name in PLACED:
            base = _share(found[first][name])
            more = _share(found[method][name]) - base
            interval = pair_interval(more, stream(0, "against", method, name))
            metric = f"{name} from null to ceiling, more than {first}"
            yield from some.rows(method, metric, pair_mean(more), 0.0, 1 - pair_mean(base), interval)


def _share(agreement: Agreement) -> Tensor:
    estimate = agreement.estimate
    return (agreement.pairs - estimate.null) / (estimate.ceiling - estimate.null)


def _variance(some: Retrained) -> Iterator[Row]:
    found = shares(split_variance({method: [run.vectors for run in some.runs(method)] for method in some.told}))
    for names, part in PARTS.items():
        yield from some.rows("", f"variance of ranks by {part}", found[names], 0.0, 1.0)


def _barriers(some: Retrained, found: Mapping[str, Mapping[str, Agreement]]) -> Iterator[Row]:
    """List barrier and agreement of all pairs, then correlate them."""
    for i, j in combinations(range(len(some.seeds)), 2):
        pair, line = f"{some.seeds[i]} and {some.seeds[j]}", float(some.heights["linear"][i, j])
        yield from some.rows("", "barrier, linear", line, line, 0.0, seed=pair)
        for method, all_ in found.items():
            estimate, value = all_["Spearman"].estimate, float(all_["Spearman"].pairs[i, j])
            yield from some.rows(method, "Spearman of a pair", value, estimate.null, estimate.ceiling, seed=pair)
    for kind, heights in some.heights.items():
        for method, all_ in found.items():
            generator = stream(0, "correlation", kind, method)
            value, interval = pair_correlation(all_["Spearman"].pairs, heights, generator)
            yield from some.rows(method, f"correlation of Spearman with barrier, {kind}", value, 0.0, -1.0, interval)


def _ways(some: Retrained) -> Iterator[Row]:
    """Measure the agreement with the first end on the way, and how it differs between kinds of paths.

    The interval is that of a mean over the ring of pairs, of which neighbours share a run.
    """
    for method, runs in some.told.items():
        by_kind: dict[str, list[float]] = {}
        for kind in KINDS:
            for k, points in enumerate(runs):
                found = measure_drift(way(points, kind), spearman, stream(0, "way", kind, method, k))
                value = float(found.first[1:-1].nanmean())
                by_kind.setdefault(kind, []).append(value)
                pair = f"{some.seeds[k]} and {some.seeds[(k + 1) % len(runs)]}"
                metric = f"Spearman with the first end, along {kind}"
                yield from some.rows(method, metric, value, found.null, found.ceiling, seed=pair)
        for kind in KINDS[1:]:
            more = [a - b for a, b in zip(by_kind[kind], by_kind["linear"], strict=True)]
            value, low, high = seed_interval(more)
            ceiling = 1 - sum(by_kind["linear"]) / len(runs)
            metric = f"Spearman with the first end, {kind} more than linear"
            yield from some.rows(method, metric, value, 0.0, ceiling, (low, high))


def _means(some: Retrained, method: str) -> Iterator[Row]:
    """Compare means of 1, 2, 4, ... runs; the interval is where single groups lie."""
    runs = some.runs(method)
    for size in (2**power for power in range(len(runs)) if 2 ** (power + 1) <= len(runs)):
        try:
            found = measure_mean_agreement(runs, size, spearman, stream(0, "mean", size))
        except EmptyDataError:  # no sample is predicted alike by all runs, and means would explain different classes
            return
        name = "one run" if size == 1 else f"mean of {size} runs"
        yield some.row(method, f"remedy: {name}", found)


def _averaged(some: Retrained, method: str) -> Iterator[Row]:
    """Compare averages over disjoint pairs of runs: of their weights, and of explanations along the curve between."""
    pairs = [points for k, points in enumerate(some.told[method][: len(some.seeds) // 2 * 2]) if k % 2 == 0]
    weights = [points[MIDDLE] for points in pairs]
    curves = [_mean(way(points, "bezier"), k) for k, points in enumerate(pairs)]
    for name, runs in (("averaged weights of 2 runs", weights), ("mean along a curve of 2 runs", curves)):
        try:
            found = measure_sample_agreement(runs, spearman, stream(0, "averaged", name))
        except EmptyDataError:  # no sample is predicted alike by any two
            continue
        yield some.row(method, f"remedy: {name}", found.estimate)


def _mean(points: Sequence[RunExplanations], number: int) -> RunExplanations:
    """Average over a path; samples that are not predicted alike everywhere on it are like no others."""
    predicted = torch.stack([point.predicted for point in points])
    alike = (predicted == predicted[0]).all(0)
    return RunExplanations(
        average_vectors([point.vectors for point in points]), torch.where(alike, predicted[0], -1 - number)
    )
