import numpy as np
from matplotlib.collections import PathCollection

from perdure.report.charts.clusters import ClusterScan, draw_cluster_panels, draw_cluster_scan

STAYED, MOVED = 9.0, 17.0


def draw_picture(clusters):
    """Give the titles of the panels, and how many points there are of each size."""
    points = np.random.default_rng(0).normal(size=(clusters.shape[1], 2))
    axes = draw_cluster_panels(points, clusters, [f"seed {i}" for i in range(len(clusters))]).axes[0]
    counts = dict.fromkeys((STAYED, MOVED, 24.0), 0)
    for item in axes.collections:
        if isinstance(item, PathCollection):
            counts[float(item.get_sizes()[0])] += len(item.get_offsets())
    return [text.get_text() for text in axes.texts], counts


def test_those_who_moved_are_drawn_apart_from_those_who_stayed():
    titles, counts = draw_picture(np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]))
    assert titles == ["seed 0", "seed 1 · 20% moved"]
    assert (counts[STAYED], counts[MOVED]) == (9, 1)


def test_many_samples_are_thinned_and_the_shares_count_all():
    clusters = np.zeros((2, 5000), dtype=int)
    clusters[1, :1250] = 1
    titles, counts = draw_picture(clusters)
    assert titles[1] == "seed 1 · 25% moved"
    assert counts[STAYED] + counts[MOVED] == 2 * 400


SCAN = ClusterScan(3, "the best silhouette", (2, 3, 4), (0.3, 0.6, 0.5), (8.0, 4.0, 2.0))


def test_silhouette_and_inertia_are_drawn_and_the_choice_is_ringed():
    silhouette, inertia = draw_cluster_scan({"attention": SCAN}).axes
    assert list(silhouette.lines[0].get_ydata()) == [0.3, 0.6, 0.5]
    assert list(inertia.lines[0].get_ydata()) == [1.0, 0.5, 0.25]
    assert silhouette.collections[0].get_offsets().tolist() == [[3.0, 0.6]]
    assert inertia.collections[0].get_offsets().tolist() == [[3.0, 0.5]]


def test_a_number_that_was_given_has_no_scan():
    given = ClusterScan(2, "as requested", (), (), ())
    assert all(not axes.collections for axes in draw_cluster_scan({"attention": given}).axes)
