import numpy as np
import pytest

from perdure.report.charts.path_curves import Chart, Curve, choose_stroke, draw_loss, draw_small_charts

WAY = np.array([0.0, 0.5, 1.0])


def charts(*values):
    return [Chart(str(i), {"linear": Curve(WAY, np.array(rows, dtype=float))}) for i, rows in enumerate(values)]


def test_all_charts_share_one_scale():
    made = draw_small_charts(charts([0, 1, 1], [0, 2, 4]), 2, ("a", "b"))
    assert [item.lines[0].path for item in made.charts] == [
        "M0.0 100.0L50.0 75.0L100.0 75.0",
        "M0.0 100.0L50.0 50.0L100.0 0.0",
    ]


def test_a_gap_is_a_gap():
    (item,) = draw_small_charts(charts([0, np.nan, 1]), 1, ("a", "b")).charts
    assert item.lines[0].path == "M0.0 100.0M100.0 0.0"
    assert item.alt == "0: linear from 0 to 1.00, between 0 and 1.00"


def test_flat_and_empty_curves_have_a_scale_too():
    flat = draw_small_charts(charts([3, 3, 3]), 1, ("a", "b"))
    assert flat.charts[0].lines[0].path.startswith("M0.0 50.0")
    empty = draw_small_charts(charts([np.nan] * 3), 1, ("a", "b"))
    assert empty.charts[0].lines[0].path == ""
    assert len(empty.ticks) > 1


def test_strokes_differ_without_colour():
    assert len({choose_stroke(i)[1] for i in range(6)}) == 6


def test_neighbouring_levels_never_read_alike():
    ticks = draw_small_charts(charts([0.995, 0.998, 1.0]), 1, ("a", "b")).ticks
    assert len({tick.text for tick in ticks}) == len(ticks)


@pytest.mark.parametrize(("value", "ends"), [(1.0, ("0.0", "1.0")), (0.0, ("0.0", "1.0")), (7.0, ("6.5", "7.5"))])
def test_a_flat_curve_of_shares_does_not_leave_their_range(value, ends):
    chart = Chart("accuracy", {"linear": Curve(np.array([0.0, 1.0]), np.full(2, value))})
    ticks = [tick.text for tick in draw_small_charts([chart], 1, ("a", "b")).ticks]
    assert (f"{float(ticks[0]):.1f}", f"{float(ticks[-1]):.1f}") == ends


STEPS = np.linspace(0, 1, 5)
CURVES = {
    "linear": Curve(STEPS, np.array([0.2, 1.0, 2.0, 1.0, 0.4])),
    "valley": Curve(STEPS, np.array([0.2, 0.3, 0.45, 0.4, 0.4])),
}


def test_both_views_show_every_path_and_the_straight_line_between_the_ends():
    for axes in draw_loss(CURVES, 0.05, "way").axes:
        linear, valley, straight = axes.lines
        assert linear.get_ydata().tolist() == CURVES["linear"].values.tolist()
        assert valley.get_ydata().tolist() == CURVES["valley"].values.tolist()
        assert list(straight.get_ydata()) == [0.2, 0.4]


def test_the_band_is_as_high_as_the_noise():
    band = draw_loss(CURVES, 0.05, "way").axes[0].collections[0]
    vertices = band.get_paths()[0].vertices
    at_start = vertices[np.isclose(vertices[:, 0], 0), 1]
    assert (at_start.min(), at_start.max()) == pytest.approx((0.2, 0.25))


def test_the_close_view_holds_the_lowest_path_and_cuts_the_ridge():
    low, high = draw_loss(CURVES, 0.01, "way").axes[1].get_ylim()
    assert low < 0.2
    assert 0.45 < high < 1.0
