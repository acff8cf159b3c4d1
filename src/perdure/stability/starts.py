"""Where k-means starts from when there are many vectors: from centres that a part of them has settled."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["refined_centres"]

PART = 1000
"""Vectors in a part, at least."""

EACH = 50
"""And for each cluster, at least."""


def refined_centres(
    rows: Float[np.ndarray, "sample type"], count: int, starts: int, seed: int
) -> Float[np.ndarray, "cluster type"]:
    """Cluster a random part of the vectors for each start, and choose the centres that fit all vectors best.

    Args:
        rows: one vector per sequence.
        count: the number of clusters.
        starts: how many parts to try, with k-means++.
        seed: of the parts and of the starts.

    Returns:
        The centres with the smallest inertia of all vectors.

    Reference:
        bradley1998refining

    Notes:
        The paper clusters the centres of all parts once more, and judges by their own inertia. Here the vectors
        themselves are the judge, which takes one pass for each start.

    Example:
        >>> rows = np.repeat([[2.0], [3.0], [9.0]], 500, axis=0)
        >>> sorted(refined_centres(rows, 3, 10, 0).ravel().round(6).tolist())
        [2.0, 3.0, 9.0]
    """
    from sklearn.cluster import KMeans

    draw, size = np.random.RandomState(seed), min(len(rows), max(PART, EACH * count))
    parts = (rows[draw.choice(len(rows), size, replace=False)] for _ in range(starts))
    tried = [KMeans(count, n_init=1, random_state=draw).fit(part) for part in parts]
    best: np.ndarray = max(tried, key=lambda one: one.score(rows)).cluster_centers_
    return best
