"""The runs of one model compared: agreement, barriers, paths and remedies, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.errors import EmptyDataError
from perdure.core.estimate import Estimate
from perdure.core.random import stream
from perdure.ops.bootstrap import pair_correlation, pair_interval, pair_mean
from perdure.ops.correlation import spearman
from perdure.ops.variance import variance_fractions
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
from perdure.studies._figures import compute_seed_interval
from perdure.studies._paths import KINDS, MIDDLE, select_path
from perdure.studies._table import SINGLE, Kind, Row

__all__ = ["RetrainedModel", "compare_runs"]

CLUSTERS = 2
"""Number of clusters, as in the paper."""

TOP = 3
COMPARED = ("Spearman", f"top-{TOP} Jaccard")
"""Measures by which methods are compared."""

PARTS = {("site",): "sequence and type", ("method", "site"): "method", ("run", "site"): "run"}


@dataclass(frozen=True, eq=False)
class RetrainedModel:
    """The runs of one model and their explanations.

    Args:
        dataset: Name of the dataset.
        model: Name of the model.
        seeds: Seeds of the runs; each run has paths to the next, the last one to the first.
        explanations: Explanations by method, run and point of the paths of the run; the first point is the run.
        label: Labels of the samples.
        heights: Barriers of pairs by kind of path; NaN where there is no path.
    """

    dataset: str
    model: str
    seeds: tuple[int, ...]
    explanations: Mapping[str, Sequence[Sequence[RunExplanations]]]
    label: Int[Tensor, " sample"]
    heights: Mapping[str, Float[Tensor, "run run"]]

    def runs(self, method: str) -> list[RunExplanations]:
        """List the explanations of all runs by a method."""
        return [points[0] for points in self.explanations[method]]

    def row(self, metric: Metric, estimate: Estimate, seed: str = "all") -> Row:
        """Build the row of an estimate."""
        low, high = estimate.interval or (None, None)
        return Row(
            self.dataset,
            self.model,
            metric.method,
            metric.name,
            seed,
            estimate.value,
            estimate.null,
            estimate.ceiling,
            low,
            high,
            metric.kind,
            metric.comparison,
        )

    def rows(
        self,
        metric: Metric,
        value: float,
        null: float,
        ceiling: float,
        interval: tuple[float, float] | None = None,
        seed: str = "all",
    ) -> list[Row]:
        """Build the row of a value, or no row for NaN."""
        return [] if isnan(value) else [self.row(metric, Estimate(value, null, ceiling, interval), seed)]


class Metric(NamedTuple):
    """A metric of a method; kind and comparison are as in `Row`."""

    method: str
    name: str
    kind: Kind = "value"
    comparison: str = ""


def compare_runs(model: RetrainedModel) -> list[Row]:
    """Compare the runs of a model by agreement, variance, barriers, paths and remedies.

    Args:
        model: Runs with their explanations.

    Returns:
        Rows of the table; numbers that are NaN have no row.
    """
    agreements = {method: _measure_agreements(model, method) for method in model.explanations}
    first = model.runs(next(iter(model.explanations)))
    rows = [model.row(Metric("", "predicted alike"), estimate_equal_predictions(first, 0).estimate)]
    for method, by_measure in agreements.items():
        rows += [model.row(Metric(method, name), agreement.estimate) for name, agreement in by_measure.items()]
    rows += [*_compare_with_first(model, agreements), *_split_variance(model)]
    rows += [*_correlate_barriers(model, agreements), *_follow_paths(model)]
    for method in model.explanations:
        rows += [*_average_runs(model, method), *_average_pairs(model, method)]
    return rows


def _measure_agreements(model: RetrainedModel, method: str) -> dict[str, Agreement]:
    runs = model.runs(method)
    agreements = [compare_samples(runs, similarity, 0) for similarity in choose_similarities(method, TOP)]
    agreements += compare_clusters(runs, CLUSTERS, 0)
    agreements += [Agreement(estimate, torch.empty(0)) for estimate in estimate_consistency(runs, model.label, 0)]
    return {agreement.estimate.name: agreement for agreement in agreements}


def _compare_with_first(model: RetrainedModel, agreements: Mapping[str, Mapping[str, Agreement]]) -> Iterator[Row]:
    """Compare each method with the first by the agreement rescaled to null 0 and ceiling 1."""
    first, *further = agreements
    for method in further:
        for name in COMPARED:
            base = _rescale(agreements[first][name])
            more = _rescale(agreements[method][name]) - base
            interval = pair_interval(more, stream(0, "against", method, name))
            metric = Metric(method, f"{name} from null to ceiling, more than {first}", "method difference", name)
            yield from model.rows(metric, pair_mean(more), 0.0, 1 - pair_mean(base), interval)


def _rescale(agreement: Agreement) -> Tensor:
    estimate = agreement.estimate
    return (agreement.pairs - estimate.null) / (estimate.ceiling - estimate.null)


def _split_variance(model: RetrainedModel) -> Iterator[Row]:
    vectors = {method: [run.vectors for run in model.runs(method)] for method in model.explanations}
    fractions = variance_fractions(split_variance(vectors))
    for names, part in PARTS.items():
        yield from model.rows(Metric("", f"variance of ranks by {part}"), fractions[names], 0.0, 1.0)


def _correlate_barriers(model: RetrainedModel, agreements: Mapping[str, Mapping[str, Agreement]]) -> Iterator[Row]:
    """List barrier and agreement of all pairs, then correlate them."""
    barrier = Metric("", "barrier, linear", "barrier", "linear")
    for i, j in combinations(range(len(model.seeds)), 2):
        pair, line = f"{model.seeds[i]} and {model.seeds[j]}", float(model.heights["linear"][i, j])
        yield from model.rows(barrier, line, line, 0.0, seed=pair)
        for method, by_measure in agreements.items():
            estimate, value = by_measure["Spearman"].estimate, float(by_measure["Spearman"].pairs[i, j])
            metric = Metric(method, "Spearman of a pair", "pair")
            yield from model.rows(metric, value, estimate.null, estimate.ceiling, seed=pair)
    for kind, heights in model.heights.items():
        for method, by_measure in agreements.items():
            generator = stream(0, "correlation", kind, method)
            value, interval = pair_correlation(by_measure["Spearman"].pairs, heights, generator)
            name = f"correlation of Spearman with barrier, {kind}"
            yield from model.rows(Metric(method, name, "barrier correlation", kind), value, 0.0, -1.0, interval)


def _follow_paths(model: RetrainedModel) -> Iterator[Row]:
    """Measure the agreement with the first end along paths, and its difference between kinds of paths.

    The interval is that of a mean over the ring of pairs, of which neighbours have one run in common.
    """
    for method, runs in model.explanations.items():
        by_kind: dict[str, list[float]] = {}
        for kind in KINDS:
            metric = Metric(method, f"Spearman with the first end, along {kind}", "path", kind)
            for k, points in enumerate(runs):
                result = measure_drift(select_path(points, kind), spearman, stream(0, "way", kind, method, k))
                value = float(result.first[1:-1].nanmean())
                by_kind.setdefault(kind, []).append(value)
                pair = f"{model.seeds[k]} and {model.seeds[(k + 1) % len(runs)]}"
                yield from model.rows(metric, value, result.null, result.ceiling, seed=pair)
        for kind in KINDS[1:]:
            more = [a - b for a, b in zip(by_kind[kind], by_kind["linear"], strict=True)]
            value, low, high = compute_seed_interval(more)
            ceiling = 1 - sum(by_kind["linear"]) / len(runs)
            name = f"Spearman with the first end, {kind} more than linear"
            yield from model.rows(Metric(method, name, "path difference", kind), value, 0.0, ceiling, (low, high))


def _average_runs(model: RetrainedModel, method: str) -> Iterator[Row]:
    """Compare means of 1, 2, 4, ... runs; the interval covers single groups."""
    runs = model.runs(method)
    for size in (2**power for power in range(len(runs)) if 2 ** (power + 1) <= len(runs)):
        try:
            estimate = measure_mean_agreement(runs, size, spearman, stream(0, "mean", size))
        except EmptyDataError:  # all runs predict no sample alike, so that means would explain different classes
            return
        name = SINGLE if size == 1 else f"mean of {size} runs"
        yield model.row(Metric(method, f"remedy: {name}", "remedy", name), estimate)


def _average_pairs(model: RetrainedModel, method: str) -> Iterator[Row]:
    """Compare averages over disjoint pairs of runs: of weights, and of explanations along the curve between them."""
    paths = model.explanations[method][: len(model.seeds) // 2 * 2]
    pairs = [points for k, points in enumerate(paths) if k % 2 == 0]
    weights = [points[MIDDLE] for points in pairs]
    curves = [_average_path(select_path(points, "bezier"), k) for k, points in enumerate(pairs)]
    for name, runs in (("averaged weights of 2 runs", weights), ("mean along a curve of 2 runs", curves)):
        try:
            agreement = measure_sample_agreement(runs, spearman, stream(0, "averaged", name))
        except EmptyDataError:  # no two runs predict any sample alike
            continue
        yield model.row(Metric(method, f"remedy: {name}", "remedy", name), agreement.estimate)


def _average_path(points: Sequence[RunExplanations], number: int) -> RunExplanations:
    """Average over a path; samples that are not predicted alike everywhere on it match no other sample."""
    predicted = torch.stack([point.predicted for point in points])
    alike = (predicted == predicted[0]).all(0)
    return RunExplanations(
        average_vectors([point.vectors for point in points]), torch.where(alike, predicted[0], -1 - number)
    )
