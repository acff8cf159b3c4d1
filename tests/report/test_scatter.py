import numpy as np
from matplotlib.collections import PathCollection

from perdure.report.scatter import cluster_panels

STAYED, MOVED = 9.0, 17.0


def drawn(clusters):
    """Give the titles of the panels, and how many points there are of each size."""
    points = np.random.default_rng(0).normal(size=(clusters.shape[1], 2))
    axes = cluster_panels(points, clusters, [f"seed {i}" for i in range(len(clusters))]).axes[0]
    counts = dict.fromkeys((STAYED, MOVED, 24.0), 0)
    for one in axes.collections:
        if isinstance(one, PathCollection):
            counts[float(one.get_sizes()[0])] += len(one.get_offsets())
    return [text.get_text() for text in axes.texts], counts


def test_those_who_moved_are_drawn_apart_from_those_who_stayed():
    titles, counts = drawn(np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]))
    assert titles == ["seed 0", "seed 1 · 20% moved"]
    assert (counts[STAYED], counts[MOVED]) == (9, 1)


def test_many_samples_are_thinned_and_the_shares_count_all():
    clusters = np.zeros((2, 5000), dtype=int)
    clusters[1, :1250] = 1
    titles, counts = drawn(clusters)
    assert titles[1] == "seed 1 · 25% moved"
    assert counts[STAYED] + counts[MOVED] == 2 * 400
