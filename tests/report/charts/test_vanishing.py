import numpy as np
import pytest

from perdure.report.charts.vanishing import Band, build_vanishing_plot, draw_vanishing_curve
from tests.report.conftest import HOSTILE

EVEN = Band(np.full(4, 0.25), np.full(4, 0.2), np.full(4, 0.3))
TRUTH = np.array([0.0, 0.0, 0.5, 0.5])


def test_an_even_profile_lies_on_the_null():
    axes = draw_vanishing_curve({"even": EVEN}, TRUTH).axes[0]
    even, truth, null = axes.lines
    assert even.get_ydata().tolist() == [1.0] * 4
    assert truth.get_ydata().tolist() == [0.0, 0.0, 2.0, 2.0]
    assert null.get_ydata() == [1.0, 1.0]
    assert axes.xaxis_inverted()


def test_a_band_spans_its_interval():
    area = draw_vanishing_curve({"even": EVEN}).axes[0].collections[0]
    heights = area.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.8, 1.2))


def test_a_logarithmic_axis_keeps_what_is_almost_zero():
    axes = draw_vanishing_curve({"even": EVEN}, TRUTH, logarithmic=True).axes[0]
    assert axes.get_yscale() == "log"
    assert axes.lines[1].get_ydata().tolist() == [1e-6, 1e-6, 2.0, 2.0]


def test_names_are_shown_verbatim():
    legend = draw_vanishing_curve({HOSTILE: EVEN}).legends[0]
    assert "".join(legend.get_texts()[0].get_text().split()).startswith("</script><script>window.hit=1")


def test_a_plot_starts_linear_and_can_be_logarithmic():
    plot = build_vanishing_plot({"even": EVEN}, TRUTH, "alt", "caption")
    assert [name for name, _ in plot.pieces] == ["linear axis", "logarithmic axis"]
    (_, linear), (_, logarithmic) = plot.pieces
    assert linear.light != linear.dark != logarithmic.dark
