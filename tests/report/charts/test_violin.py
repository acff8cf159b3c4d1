import numpy as np

from perdure.report.charts.violin import draw_violins


def test_every_run_that_has_a_type_has_its_median_marked():
    values = np.random.default_rng(0).normal(size=(3, 50, 2))
    values[1, :, 1] = np.nan
    axes = draw_violins(values, ["a", "b"]).axes[0]
    marks = [item.get_offsets() for item in axes.collections if len(item.get_offsets()) > 1]
    assert [len(rows) for rows in marks] == [3, 2]
    np.testing.assert_allclose(marks[0][:, 0], np.median(values[:, :, 0], axis=1))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]


def test_values_without_spread_are_a_bar_and_none_are_nothing():
    values = np.stack([np.full((2, 9), 0.4), np.full((2, 9), np.nan)], axis=-1)
    (bar,) = [
        item
        for item in draw_violins(values, ["constant", "absent"]).axes[0].collections
        if hasattr(item, "get_segments")
    ]
    assert bar.get_segments()[0][:, 0].tolist() == [0.4, 0.4]
