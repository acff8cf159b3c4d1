"""Clusters and arrays of the explanations of an ensemble."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from perdure.stability.agreement import SEED, RunExplanations
from perdure.stability.clusters import ClusterScan, cluster_vectors, match_clusters, scan_cluster_counts

__all__ = ["Clusters", "choose_clusters", "collect_ensemble_arrays"]

COUNTS = range(2, 20)
"""Numbers of clusters to try, as in the paper."""

TYPES = 6
"""Number of types whose values are shown."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of samples by their explanations in the first run.

    Args:
        count: Number of clusters; 1 when there are too few different explanations for any.
        reason: Reason for this number.
        scan: Tried numbers; None when none was possible.
    """

    count: int
    reason: str
    scan: ClusterScan | None

    @property
    def record(self) -> dict[str, Any]:
        """Plain data for the record: the counts that have a silhouette, with silhouettes and inertias."""
        widths = {} if self.scan is None else self.scan.silhouettes
        counts = [count for count, width in widths.items() if width == width]
        inertias = [] if self.scan is None else [self.scan.clusterings[count].inertia for count in counts]
        silhouettes = [widths[count] for count in counts]
        return {
            "count": self.count,
            "reason": self.reason,
            "counts": counts,
            "silhouettes": silhouettes,
            "inertias": inertias,
        }


def choose_clusters(values: Tensor, method: str) -> Clusters:
    """Choose the number of clusters by the silhouettes of the first run.

    Args:
        values: Vectors of this run, one per sample.
        method: Method of the vectors, for the warning.

    Returns:
        The choice; numbers of clusters that are not below the number of different vectors are left out with a warning.
    """
    different = len(torch.unique(values, dim=0))
    counts = [count for count in COUNTS if count < different]
    if different < min(len(values), COUNTS.stop) or not counts:
        warnings.warn(
            f"method '{method}' gives {different} different explanations of {len(values)} samples, so that "
            + (f"at most {counts[-1]} clusters are tried" if counts else "there are no clusters to compare"),
            stacklevel=2,
        )
    if not counts:
        return Clusters(1, f"there are only {different} different explanations", None)
    scan = scan_cluster_counts(values, counts, SEED)
    return Clusters(scan.chosen, scan.reason, scan)


def collect_ensemble_arrays(runs: Sequence[RunExplanations], clusters: Clusters, method: str) -> dict[str, np.ndarray]:
    """Collect the arrays of one method.

    Args:
        runs: Explanations of each run.
        clusters: Number of clusters.
        method: Folder of the method, for the names of the arrays.

    Returns:
        The vectors of the first run on their two principal axes, the clusters of all runs with the numbers of the
        first run, and the values of the most important types, NaN where one does not occur.
    """
    values = torch.stack([run.vectors.values for run in runs])
    present = runs[0].vectors.present
    top = find_important_types(values)
    return {
        f"points/{method}": _project(values[0]),
        f"cluster/{method}": _match_clusters(values, clusters.count).numpy(),
        f"top/{method}": values[:, :, top].masked_fill(~present[:, top], torch.nan).numpy(),
        f"top_types/{method}": top.numpy(),
    }


def find_important_types(values: Tensor, count: int = TYPES) -> Tensor:
    """Find the types with the largest mean absolute values; each run and sample has the same weight.

    Args:
        values: Vectors with shape (run, sample, type).
        count: Maximum number of types.

    Returns:
        Indices of the types, the most important first.

    Example:
        >>> find_important_types(torch.tensor([[[0.0, -9.0, 1.0]], [[0.0, -0.9, 0.1]]]), 2).tolist()
        [1, 2]
    """
    size = torch.linalg.vector_norm(values, dim=2, keepdim=True)
    mean = (values / torch.where(size > 0, size, 1.0)).abs().mean((0, 1))
    return mean.argsort(descending=True, stable=True)[:count]


def _project(values: Tensor) -> np.ndarray:
    from sklearn.decomposition import PCA

    rows = values.double().numpy()
    directions = min(2, *rows.shape)
    if (rows == rows[0]).all():  # nothing varies, and PCA would divide by that
        return np.zeros((len(rows), 2))
    projected = PCA(directions, svd_solver="full").fit_transform(rows)
    return np.pad(projected, ((0, 0), (0, 2 - directions)))


def _match_clusters(values: Tensor, count: int) -> Tensor:
    if count == 1:
        return torch.zeros(values.shape[:2], dtype=torch.long)
    labels = [cluster_vectors(vectors, count, SEED).label for vectors in values]
    return torch.stack([labels[0], *(match_clusters(label, labels[0]) for label in labels[1:])])
