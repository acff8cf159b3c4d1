import numpy as np
import pytest

from perdure.report.loss import loss_chart
from perdure.report.multiples import Curve

WAY = np.linspace(0, 1, 5)
CURVES = {
    "linear": Curve(WAY, np.array([0.2, 1.0, 2.0, 1.0, 0.4])),
    "valley": Curve(WAY, np.array([0.2, 0.3, 0.45, 0.4, 0.4])),
}


def test_both_views_show_every_path_and_the_straight_line_between_the_ends():
    for axes in loss_chart(CURVES, 0.05, "way").axes:
        linear, valley, straight = axes.lines
        assert linear.get_ydata().tolist() == CURVES["linear"].values.tolist()
        assert valley.get_ydata().tolist() == CURVES["valley"].values.tolist()
        assert list(straight.get_ydata()) == [0.2, 0.4]


def test_the_band_is_as_high_as_the_noise():
    band = loss_chart(CURVES, 0.05, "way").axes[0].collections[0]
    vertices = band.get_paths()[0].vertices
    at_start = vertices[np.isclose(vertices[:, 0], 0), 1]
    assert (at_start.min(), at_start.max()) == pytest.approx((0.2, 0.25))


def test_the_close_view_holds_the_lowest_path_and_cuts_the_ridge():
    low, high = loss_chart(CURVES, 0.01, "way").axes[1].get_ylim()
    assert low < 0.2
    assert 0.45 < high < 1.0
