"""Clusters of sequences with similar explanations: k-means, scans over cluster counts, and comparison of partitions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from threadpoolctl import ThreadpoolController
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import EmptyDataError, SettingError
from perdure.core.resources import map_threads

__all__ = [
    "ClusterScan",
    "Clustering",
    "adjusted_mutual_information",
    "adjusted_rand",
    "cluster_each_run",
    "cluster_vectors",
    "match_clusters",
    "refine_centres",
    "scan_cluster_counts",
]

STARTS = 10
"""Number of k-means++ starts of each clustering; the one with the smallest inertia is kept."""

SMALL = 1_000_000
"""Size below which vectors are clustered in double precision, from all starts. Larger ones keep their precision, with
the best start on a part of them."""


@dataclass(frozen=True, eq=False)
class Clustering:
    """A partition of sequences.

    Args:
        label: Cluster of each sequence, from 0.
        centre: Mean vector of each cluster.
        inertia: Sum of squared distances to the centres.
    """

    label: Int[Tensor, " sample"]
    centre: Float[Tensor, "cluster type"]
    inertia: float


@dataclass(frozen=True, eq=False)
class ClusterScan:
    """Clusterings of the same vectors into different numbers of clusters, and the one to use.

    Args:
        clusterings: Clusterings by number of clusters.
        silhouettes: Mean silhouette widths, in [-1, 1], by number of clusters; NaN when there is one cluster, or one
            sequence for each.
        chosen: Number of clusters to use.
        reason: Reason for the choice.
    """

    clusterings: dict[int, Clustering]
    silhouettes: dict[int, float]
    chosen: int
    reason: str


def cluster_vectors(values: Float[Tensor, "sample type"], count: int, seed: int) -> Clustering:
    """Partition vectors by k-means with Euclidean distances.

    From a million numbers on the starts are refined: each has a random part of the vectors to itself, and only the
    centres with the smallest inertia of all vectors are refined on all of them. The inertia is within
    three thousandths of that of ten full starts, also for vectors without clusters, at a tenth of the time.

    Args:
        values: One vector per sequence.
        count: Number of clusters; vectors with fewer different values give fewer clusters.
        seed: Seed for the starting centres.

    Returns:
        The best of ten starts.

    Raises:
        SettingError: If there are not that many sequences.

    Reference:
        ger2020reproducibility, bradley1998refining

    Example:
        >>> result = cluster_vectors(torch.tensor([[0.0], [0.0], [1.0], [1.0]]), 2, seed=0)
        >>> result.inertia, bool(result.label[0] == result.label[2])
        (0.0, False)
    """
    from sklearn.cluster import KMeans

    check_counts(count=count)
    if count > len(values):
        raise SettingError(f"count={count} for {len(values)} sequences", "choose at most one cluster per sequence")
    rows = _as_rows(values)
    with _limit_threads():
        if rows.size < SMALL:
            fitted = KMeans(count, n_init=STARTS, random_state=seed).fit(rows)
        else:
            fitted = KMeans(count, n_init=1, init=refine_centres(rows, count, STARTS, seed)).fit(rows)
    label, centre = torch.from_numpy(fitted.labels_).long(), torch.from_numpy(fitted.cluster_centers_)
    return Clustering(label, centre, float(fitted.inertia_))


def cluster_each_run(several: Sequence[Float[Tensor, "sample type"]], count: int, seed: int) -> list[Clustering]:
    """Partition the vectors of several runs, as many at a time as torch has threads.

    Args:
        several: Vectors of each run.
        count: Number of clusters.
        seed: Seed for the starting centres.

    Returns:
        The clustering of each, as `cluster_vectors` gives it.

    Raises:
        SettingError: If there are not that many sequences.
    """
    with _limit_threads():
        return list(map_threads(lambda values: cluster_vectors(values, count, seed), several))


def scan_cluster_counts(values: Float[Tensor, "sample type"], counts: Sequence[int], seed: int) -> ClusterScan:
    """Cluster vectors into different numbers of clusters, and choose the largest silhouette.

    With the published code the user chooses from plots of both curves, then compares runs with two clusters. Here the
    choice is a rule, so that it can be repeated: the largest mean silhouette, of equal ones the smallest number.

    Args:
        values: One vector per sequence.
        counts: Numbers of clusters to try; the paper tries 2 to 19.
        seed: Seed for the starting centres.

    Returns:
        All clusterings, and the choice with its reason.

    Raises:
        EmptyDataError: without counts.
        SettingError: If no number of clusters has a silhouette.

    Reference:
        rousseeuw1987silhouettes

    Example:
        >>> three = torch.tensor([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]])
        >>> scan_cluster_counts(three, range(2, 6), seed=0).reason
        'the largest mean silhouette, 0.977, of k = 2 to 5'
    """
    result = {count: cluster_vectors(values, count, seed) for count in sorted(set(counts))}
    if not result:
        raise EmptyDataError("there is no number of clusters to try", "pass counts, for example range(2, 20)")
    widths = {count: _compute_silhouette(values, clustering.label) for count, clustering in result.items()}
    usable = [count for count, width in widths.items() if not np.isnan(width)]
    if not usable:
        raise SettingError(
            f"none of k = {_format_counts(result)} has a silhouette",
            "try numbers from 2 to one less than there are different vectors",
        )
    chosen = max(usable, key=widths.__getitem__)
    reason = f"the largest mean silhouette, {widths[chosen]:.3f}, of k = {_format_counts(result)}"
    return ClusterScan(result, widths, chosen, reason)


def adjusted_rand(a: Int[Tensor, " sample"], b: Int[Tensor, " sample"]) -> float:
    """Compare two partitions by pairs of samples that both join or both separate, adjusted for chance.

    Args:
        a: Cluster of each sample.
        b: Cluster of each sample; cluster numbers do not matter.

    Returns:
        1 for equal partitions, 0 in the mean over random ones of the same sizes.

    Reference:
        hubert1985comparing

    Example:
        >>> adjusted_rand(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0]))
        1.0
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(a.cpu().numpy(), b.cpu().numpy()))


def adjusted_mutual_information(a: Int[Tensor, " sample"], b: Int[Tensor, " sample"]) -> float:
    """Compare two partitions by their mutual information, adjusted for chance; suits clusters of unequal size.

    Args:
        a: Cluster of each sample.
        b: Cluster of each sample; cluster numbers do not matter.

    Returns:
        1 for equal partitions, 0 in the mean over random ones of the same sizes.

    Reference:
        vinh2010information

    Example:
        >>> round(adjusted_mutual_information(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0])), 6)
        1.0
    """
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(a.cpu().numpy(), b.cpu().numpy()))


def match_clusters(label: Int[Tensor, " sample"], reference: Int[Tensor, " sample"]) -> Int[Tensor, " sample"]:
    """Renumber clusters so that as many samples as possible keep the cluster of the reference.

    Clusters are assigned one to one; those without a partner get the numbers that follow.

    Args:
        label: Cluster of each sample, from 0.
        reference: Cluster of each sample in another clustering of these samples.

    Returns:
        The same partition under other numbers.

    Reference:
        kuhn1955hungarian

    Example:
        >>> match_clusters(torch.tensor([1, 1, 0, 0, 0]), torch.tensor([0, 0, 1, 1, 0])).tolist()
        [0, 0, 1, 1, 1]
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    kinds, theirs = torch.unique(label), torch.unique(reference)
    shared = contingency_matrix(label.cpu().numpy(), reference.cpu().numpy())
    rows, columns = linear_sum_assignment(shared, maximize=True)
    unused = int(max(theirs.max(), 0)) + 1
    new = torch.arange(unused, unused + len(kinds), device=label.device)
    new[torch.from_numpy(rows).to(new)] = theirs.to(new)[torch.from_numpy(columns).to(new)]
    return new[torch.searchsorted(kinds, label)]


def _compute_silhouette(values: Tensor, label: Tensor) -> float:
    from sklearn.metrics import silhouette_score

    several = 1 < len(torch.unique(label)) < len(values)
    with _limit_threads():
        return float(silhouette_score(_as_rows(values), label.numpy())) if several else np.nan


_pools = cache(ThreadpoolController)
"""Thread pools of this process, cached because finding them takes as long as a small clustering."""


@contextmanager
def _limit_threads() -> Iterator[None]:
    """Keep scikit-learn to one thread, and to itself that there are fewer different vectors than clusters.

    Threads of one clustering wait for each other longer than they work: a single thread is several times as fast.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), _pools().limit(limits=1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _as_rows(values: Tensor) -> np.ndarray:
    values = values.detach().cpu()
    return (values if values.numel() >= SMALL else values.double()).numpy()


def _format_counts(result: dict[int, Clustering]) -> str:
    counts = sorted(result)
    if len(counts) > 2 and counts == list(range(counts[0], counts[-1] + 1)):
        return f"{counts[0]} to {counts[-1]}"
    return ", ".join(map(str, counts))


PART = 1000
"""Smallest number of vectors in a part."""

EACH = 50
"""Smallest number of vectors in a part for each cluster."""


def refine_centres(
    rows: Float[np.ndarray, "sample type"], count: int, starts: int, seed: int
) -> Float[np.ndarray, "cluster type"]:
    """Cluster a random part of the vectors for each start, and choose the centres that fit all vectors best.

    Args:
        rows: One vector per sequence.
        count: Number of clusters.
        starts: Number of random parts, each clustered with k-means++.
        seed: Seed for parts and starting centres.

    Returns:
        The centres with the smallest inertia of all vectors.

    Reference:
        bradley1998refining

    Notes:
        The paper clusters the centres of all parts again and compares their inertia. Here the inertia of all vectors
        decides, which takes one pass for each start.

    Example:
        >>> rows = np.repeat([[2.0], [3.0], [9.0]], 500, axis=0)
        >>> sorted(refine_centres(rows, 3, 10, 0).ravel().round(6).tolist())
        [2.0, 3.0, 9.0]
    """
    from sklearn.cluster import KMeans

    draw, size = np.random.RandomState(seed), min(len(rows), max(PART, EACH * count))
    parts = (rows[draw.choice(len(rows), size, replace=False)] for _ in range(starts))
    tried = [KMeans(count, n_init=1, random_state=draw).fit(part) for part in parts]
    best: np.ndarray = max(tried, key=lambda item: item.score(rows)).cluster_centers_
    return best
