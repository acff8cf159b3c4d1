import json

import numpy as np
import pytest

from perdure.report.charts.vanishing import Band, build_vanishing_plot, draw_interactive_curve, draw_vanishing_curve
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


def test_the_interactive_curve_holds_the_same_values():
    traces = {trace.name: trace for trace in draw_interactive_curve({"even": EVEN}, TRUTH).data if trace.name}
    assert list(traces["even"].y) == [1.0] * 4
    assert list(traces["truth"].y) == [0.0, 0.0, 2.0, 2.0]
    assert list(traces["null: uniform map"].y) == [1.0] * 4


def test_names_are_never_markup():
    text = draw_interactive_curve({HOSTILE: EVEN}).to_json()
    names = [trace.get("name", "") for trace in json.loads(text)["data"]]
    assert not any("<" in name for name in names)


def test_a_plot_starts_linear_and_can_be_logarithmic():
    plot = build_vanishing_plot({"even": EVEN}, TRUTH, "alt", "caption")
    assert list(plot.choices) == ["linear", "logarithmic"]
    assert plot.fallback.light != plot.fallback.dark
