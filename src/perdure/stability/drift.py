"""Drift: how much of an explanation is left along a path, and which samples change their cluster on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.check import check_counts
from perdure.stability.agreement import SEED, Measure, Run, predicted_alike
from perdure.stability.clusters import adjusted_rand, clustering, matched
from perdure.stability.null import Shuffle, shuffle_samples, shuffle_types
from perdure.stability.vectors import Vectors

__all__ = ["Drift", "Flow", "drift", "flow"]


@dataclass(frozen=True, eq=False)
class Drift:
    """How alike the explanations along a path are, over the samples that both points predict alike.

    Args:
        ends: mean agreement of each point with the first and with the second end; NaN where no sample is left.
        neighbour: with the point before; NaN for the first.
        first: agreement with the first end, sample by sample; NaN for those that are left out.
        null: agreement of the first end with the shuffled explanations of the other points.
        ceiling: agreement of an end with itself, explained with other noise.
    """

    ends: Float[Tensor, "point 2"]
    neighbour: Float[Tensor, " point"]
    first: Float[Tensor, "point sample"]
    null: float
    ceiling: float


@dataclass(frozen=True, eq=False)
class Flow:
    """The clusters of samples that are explained alike, along a path.

    Args:
        label: the cluster of each sample at each point, numbered as at the point before.
        ari: adjusted Rand index of each point with first end, second end and the point before, over the samples that
            both predict alike; NaN where there are none, and for what is before the first.
        null: that of the first end with the shuffled explanations of the other points.
        ceiling: that of an end with itself, with other noise and another seed of the clustering.
    """

    label: Int[Tensor, "point sample"]
    ari: Float[Tensor, "point 3"]
    null: float
    ceiling: float


def drift(
    runs: Sequence[Run], measure: Measure, generator: torch.Generator, shuffle: Shuffle = shuffle_types, draws: int = 1
) -> Drift:
    """Compare the explanations of each sample along a path.

    Only types that occur in a sample are compared, and samples with fewer than two of them are left out, as in
    `sample_agreement`.

    Args:
        runs: what each point of the path says, from `explained`.
        measure: for example `spearman`, `kendall` or `cosine` of `perdure.ops`.
        generator: the stream of the null.
        shuffle: the null, `shuffle_types` or the stricter `shuffle_samples`.
        draws: shuffles of each point but the first.

    Returns:
        The drift.

    Raises:
        EmptyDataError: for a single point.
        ShapeError: when the points are not of the same samples.

    Example:
        >>> from perdure.ops.correlation import spearman
        >>> vectors = Vectors(torch.arange(40.0).reshape(8, 5), torch.ones(8, 5, dtype=torch.bool))
        >>> found = drift([Run(vectors, torch.tensor([0] * 8))] * 3, spearman, torch.Generator())
        >>> found.ends.tolist(), found.ceiling, found.null < 0.5
        ([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], 1.0, True)
    """
    check_counts(draws=draws)
    alike, last = predicted_alike(runs), len(runs) - 1
    compare = partial(_by_sample, measure, runs[0].vectors.present)
    values = [run.vectors.values for run in runs]
    first = torch.stack([compare(values[0], one, alike[0, k]) for k, one in enumerate(values)])
    second = torch.stack([compare(values[last], one, alike[last, k]) for k, one in enumerate(values)])
    before = [compare(values[k - 1], values[k], alike[k - 1, k]) for k in range(1, len(runs))]
    null = [
        compare(values[0], shuffle(runs[k].vectors, generator).values, alike[0, k])
        for _ in range(draws)
        for k in range(1, len(runs))
    ]
    selves = [compare(values[k], _again(runs[k]).values, alike[k, k]) for k in (0, last)]
    ends = torch.stack([first.nanmean(1), second.nanmean(1)], 1)
    neighbour = torch.cat([ends.new_full((1,), torch.nan), torch.stack(before).nanmean(1)])
    return Drift(ends, neighbour, first, _mean(null), _mean(selves))


def flow(runs: Sequence[Run], count: int, generator: torch.Generator, draws: int = 1) -> Flow:
    """Cluster the samples by their explanations at each point of a path, and follow them.

    Args:
        runs: what each point of the path says, from `explained`.
        count: the number of clusters; the paper has 2 along paths.
        generator: the stream of the null.
        draws: shuffles of each point but the first.

    Returns:
        Clusters and their agreement.

    Raises:
        EmptyDataError: for a single point.
        ShapeError: when the points are not of the same samples.
        SettingError: when there are more clusters than samples.

    Reference:
        ger2020reproducibility

    Example:
        >>> values = torch.tensor([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.0, 5.1]])
        >>> runs = [Run(Vectors(values, torch.ones(4, 2, dtype=torch.bool)), torch.tensor([0] * 4))] * 3
        >>> found = flow(runs, 2, torch.Generator())
        >>> found.ari[2].tolist(), bool((found.label == found.label[0]).all())
        ([1.0, 1.0, 1.0], True)
    """
    check_counts(draws=draws)
    alike, last = predicted_alike(runs).cpu(), len(runs) - 1
    labels = [_labels(runs[0].vectors, count)]
    for run in runs[1:]:
        labels.append(matched(_labels(run.vectors, count), labels[-1]))
    table = [
        [_rand(labels[k], labels[other], alike[k, other]) if other >= 0 else torch.nan for other in (0, last, k - 1)]
        for k in range(len(runs))
    ]
    null = [
        _rand(labels[0], _labels(shuffle_samples(runs[k].vectors, generator), count), alike[0, k])
        for _ in range(draws)
        for k in range(1, len(runs))
    ]
    selves = [_rand(labels[k], _labels(_again(runs[k]), count, SEED + 1), alike[k, k]) for k in (0, last)]
    ari = torch.tensor(table, dtype=torch.float64)
    return Flow(torch.stack(labels), ari, *(float(torch.tensor(some).nanmean()) for some in (null, selves)))


def _by_sample(measure: Measure, present: Bool[Tensor, "sample type"], a: Tensor, b: Tensor, alike: Tensor) -> Tensor:
    """Compare sample by sample; NaN for those that are not predicted alike, or have nothing to order."""
    kept = alike.to(present.device) & (present.sum(1) > 1)
    found = torch.full((len(present),), torch.nan, dtype=torch.float64)
    if kept.any():
        found[kept.cpu()] = measure(a[kept], b[kept], present[kept]).double().cpu()
    return found


def _again(run: Run) -> Vectors:
    return run.vectors if run.again is None else run.again


def _labels(vectors: Vectors, count: int, seed: int = SEED) -> Tensor:
    return clustering(vectors.values, count, seed).label


def _rand(a: Tensor, b: Tensor, kept: Tensor) -> float:
    return adjusted_rand(a[kept], b[kept]) if kept.any() else torch.nan


def _mean(scores: Sequence[Tensor]) -> float:
    return float(torch.stack(list(scores)).nanmean())
