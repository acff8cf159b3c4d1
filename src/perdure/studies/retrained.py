"""The runs of one model compared: agreement, barriers, ways and remedies, as rows of a table."""

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
from perdure.core.random import stream
from perdure.core.verdict import Number
from perdure.ops.correlation import spearman
from perdure.ops.pairs import pair_correlation, pair_interval, pair_mean
from perdure.ops.variance import shares
from perdure.stability.agreement import Run, sample_agreement
from perdure.stability.along_path import drift
from perdure.stability.measures import (
    Measured,
    alike_number,
    consistency_numbers,
    measures,
    number_of,
    of_clusters,
    of_samples,
)
from perdure.stability.remedies import mean_agreement, mean_vectors
from perdure.stability.variance import method_by_run
from perdure.studies.figures import seed_interval
from perdure.studies.table import Row
from perdure.studies.ways import KINDS, MIDDLE, way

__all__ = ["Retrained", "rows_of"]

CLUSTERS = 2
"""As in the paper."""

TOP = 3
PLACED = ("Spearman", f"top-{TOP} Jaccard")
"""Measures by which methods are compared."""

PARTS = {("site",): "sequence and type", ("method", "site"): "method", ("run", "site"): "run"}


class Placed(NamedTuple):
    """A number between null and ceiling, perhaps with an interval; NaN where there is none."""

    value: float
    null: float
    ceiling: float
    low: float | None = None
    high: float | None = None


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
    told: Mapping[str, Sequence[Sequence[Run]]]
    label: Int[Tensor, " sample"]
    heights: Mapping[str, Float[Tensor, "run run"]]

    def runs(self, method: str) -> list[Run]:
        """List what each run says by a method."""
        return [points[0] for points in self.told[method]]

    def row(self, method: str, metric: str, number: Number | Placed, seed: str = "all") -> Row:
        """Make a row of a number."""
        low, high = (None if end is None or isnan(end) else end for end in (number.low, number.high))
        return Row(self.dataset, self.model, method, metric, seed, number.value, number.null, number.ceiling, low, high)


def rows_of(some: Retrained) -> list[Row]:
    """Compare the runs of a model in every way.

    Args:
        some: what they say.

    Returns:
        The rows; those without a number are left out.
    """
    found = {method: _agreements(some, method) for method in some.told}
    rows = [some.row("", "predicted alike", alike_number(some.runs(next(iter(some.told))), 0)[0])]
    rows += [some.row(method, number.name, number) for method, all_ in found.items() for number, _ in all_.values()]
    rows += [*_against_first(some, found), *_variance(some), *_barriers(some, found), *_ways(some)]
    for method in some.told:
        rows += [*_means(some, method), *_averaged(some, method)]
    return [row for row in rows if not isnan(row.value)]


def _agreements(some: Retrained, method: str) -> dict[str, Measured]:
    runs = some.runs(method)
    found = [of_samples(runs, name, measure, 0) for name, measure in measures(method, TOP).items()]
    found += of_clusters(runs, CLUSTERS, 0)
    found += [(number, torch.empty(0)) for number in consistency_numbers(runs, some.label, 0)]
    return {number.name: (number, table) for number, table in found}


def _against_first(some: Retrained, found: Mapping[str, Mapping[str, Measured]]) -> Iterator[Row]:
    """Compare the methods with the first by how far each is on its way from null to ceiling."""
    first, *others = found
    for method in others:
        for name in PLACED:
            (one, table), (other, base) = found[method][name], found[first][name]
            more = _share(one, table) - _share(other, base)
            low, high = pair_interval(more, stream(0, "against", method, name))
            best = 1 - pair_mean(_share(other, base))
            number = Placed(pair_mean(more), 0.0, best, low, high)
            yield some.row(method, f"{name} from null to ceiling, more than {first}", number)


def _share(number: Number, table: Tensor) -> Tensor:
    return (table - number.null) / (number.ceiling - number.null)


def _variance(some: Retrained) -> Iterator[Row]:
    found = shares(method_by_run({method: [run.vectors for run in some.runs(method)] for method in some.told}))
    for names, part in PARTS.items():
        yield some.row("", f"variance of ranks by {part}", Placed(found[names], 0.0, 1.0))


def _barriers(some: Retrained, found: Mapping[str, Mapping[str, Measured]]) -> Iterator[Row]:
    """List barrier and agreement of all pairs, then correlate them."""
    for i, j in combinations(range(len(some.seeds)), 2):
        pair, line = f"{some.seeds[i]} and {some.seeds[j]}", float(some.heights["linear"][i, j])
        yield some.row("", "barrier, linear", Placed(line, line, 0.0), pair)
        for method, all_ in found.items():
            number, table = all_["Spearman"]
            one = Placed(float(table[i, j]), number.null, number.ceiling)
            yield some.row(method, "Spearman of a pair", one, pair)
    for kind, heights in some.heights.items():
        for method, all_ in found.items():
            value, low, high = pair_correlation(all_["Spearman"][1], heights, stream(0, "correlation", kind, method))
            fall = Placed(value, 0.0, -1.0, low, high)
            yield some.row(method, f"correlation of Spearman with barrier, {kind}", fall)


def _ways(some: Retrained) -> Iterator[Row]:
    """Measure the agreement with the first end on the way, and how it differs between kinds of paths.

    The interval is that of a mean over the ring of pairs, of which neighbours share a run.
    """
    for method, runs in some.told.items():
        by_kind: dict[str, list[float]] = {}
        for kind in KINDS:
            for k, points in enumerate(runs):
                found = drift(way(points, kind), spearman, stream(0, "way", kind, method, k))
                value = float(found.first[1:-1].nanmean())
                by_kind.setdefault(kind, []).append(value)
                pair = f"{some.seeds[k]} and {some.seeds[(k + 1) % len(runs)]}"
                number = Placed(value, found.null, found.ceiling)
                yield some.row(method, f"Spearman with the first end, along {kind}", number, pair)
        for kind in KINDS[1:]:
            more = [a - b for a, b in zip(by_kind[kind], by_kind["linear"], strict=True)]
            value, low, high = seed_interval(more)
            number = Placed(value, 0.0, 1 - sum(by_kind["linear"]) / len(runs), low, high)
            yield some.row(method, f"Spearman with the first end, {kind} more than linear", number)


def _means(some: Retrained, method: str) -> Iterator[Row]:
    """Compare means of 1, 2, 4, ... runs; the interval is where single groups lie."""
    runs = some.runs(method)
    for size in (2**power for power in range(len(runs)) if 2 ** (power + 1) <= len(runs)):
        try:
            found = mean_agreement(runs, size, spearman, stream(0, "mean", size))
        except EmptyDataError:  # no sample is predicted alike by all runs, and means would explain different classes
            return
        name = "one run" if size == 1 else f"mean of {size} runs"
        number = Placed(found.mean, found.null, found.ceiling, found.low, found.high)
        yield some.row(method, f"remedy: {name}", number)


def _averaged(some: Retrained, method: str) -> Iterator[Row]:
    """Compare averages over disjoint pairs of runs: of their weights, and of explanations along the curve between."""
    pairs = [points for k, points in enumerate(some.told[method][: len(some.seeds) // 2 * 2]) if k % 2 == 0]
    weights = [points[MIDDLE] for points in pairs]
    curves = [_mean(way(points, "bezier"), k) for k, points in enumerate(pairs)]
    for name, runs in (("averaged weights of 2 runs", weights), ("mean along a curve of 2 runs", curves)):
        try:
            found = sample_agreement(runs, spearman, stream(0, "averaged", name))
        except EmptyDataError:  # no sample is predicted alike by any two
            continue
        yield some.row(method, f"remedy: {name}", number_of("Spearman", found))


def _mean(points: Sequence[Run], number: int) -> Run:
    """Average over a path; samples that are not predicted alike everywhere on it are like no others."""
    predicted = torch.stack([point.predicted for point in points])
    alike = (predicted == predicted[0]).all(0)
    return Run(mean_vectors([point.vectors for point in points]), torch.where(alike, predicted[0], -1 - number))
