import numpy as np
import pytest

from perdure.report.charts.flow import compute_leaving_fraction, count_transitions, draw_flow


def test_streams_add_up_to_both_stations():
    draw = np.random.default_rng(0)
    before, after = draw.integers(0, 4, 200), draw.integers(0, 4, 200)
    table = count_transitions(before, after)
    np.testing.assert_allclose(table.sum(1), np.bincount(before, minlength=4) / 200)
    np.testing.assert_allclose(table.sum(0), np.bincount(after, minlength=4) / 200)


def test_who_comes_back_has_moved_too():
    assert compute_leaving_fraction(np.array([[0, 1], [1, 1], [0, 1]])) == 0.5


def test_every_path_has_its_band_and_shows_how_many_leave():
    still, moving = np.zeros((5, 10), dtype=int), np.repeat(np.arange(5)[:, None] // 2, 10, axis=1)
    figure = draw_flow({"valley": still, "linear": moving}, "the way")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [
        "valley · 0% leave their cluster along the path",
        "linear · 100% leave their cluster along the path",
    ]


def test_long_paths_are_shown_at_thirteen_stations():
    axes = draw_flow({"valley": np.zeros((60, 4), dtype=int)}, "the way").axes[0]
    assert len(axes.collections) == 13 + 12  # a box at each station, one stream between two


def test_a_single_stream_keeps_its_height_on_the_whole_way():
    axes = draw_flow({"valley": np.zeros((3, 4), dtype=int)}, "the way").axes[0]
    for area in axes.collections:
        heights = area.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx((0, 1))
