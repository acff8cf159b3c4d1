"""A value of one region colours that region alone, on the surface and in the strips."""

import io

import numpy as np
import pytest
from PIL import Image

from perdure.core.errors import ShapeError
from perdure.data._hcp.cortex import REGIONS
from perdure.data._hcp.parcellation import OUTSIDE, read_cortical, read_surface
from perdure.report.charts.brain import can_draw_brains, draw_brain_maps, draw_region_strips
from perdure.report.charts.figure import to_png
from perdure.report.charts.palette import LIGHT
from perdure.report.charts.study_charts import draw_removal

MOTOR = np.array([[float(name in ("L_4", "R_4"))] for name in REGIONS]).T


def fraction_of(picture, colour):
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(pixels.astype(int) - wanted).max(2) < 4).mean()


def test_strips_show_each_region_once():
    figure = draw_region_strips({"a": np.eye(3, 6), "b": np.zeros((3, 6))}, ("early", "middle", "late"))
    assert np.array_equal(figure.axes[0].images[0].get_array(), np.eye(3, 6))
    assert [item.get_text() for item in figure.axes[0].get_yticklabels()] == ["early", "middle", "late"]
    assert to_png(figure).startswith(b"\x89PNG")


def test_a_removal_chart_has_a_line_for_each_curve_and_bound():
    figure = draw_removal((0.0, 0.5), {"a": (0.9, 0.3), "b": (0.9, 0.4)}, {"random": (0.9, 0.8)})
    lines = [line.get_ydata().tolist() if hasattr(line.get_ydata(), "tolist") else list(line.get_ydata())
             for line in figure.axes[0].lines]  # fmt: skip
    assert lines == [[0.9, 0.3], [0.9, 0.4], [0.9, 0.8]]
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0.0, 50.0]


def test_the_surface_has_all_regions_of_its_side_and_a_cut():
    for start, side in ((0, "L"), (180, "R")):
        result = read_surface(side)
        assert result.points.shape == (32492, 3)
        assert result.faces.max() == len(result.points) - 1
        assert set(result.number.tolist()) == {OUTSIDE, *range(start, start + 180)}
    left, right = (read_surface(side).points[:, 0].mean() for side in "LR")
    assert left < right  # x grows to the right


def test_the_shipped_parcellation_covers_the_cortex():
    parcellation = read_cortical()
    assert parcellation.names == REGIONS
    assert (parcellation.number[:29696] < 180).all()  # the left comes first
    assert np.bincount(parcellation.number[parcellation.number >= 0]).min() > 0


def test_only_the_known_regions_can_be_drawn():
    assert can_draw_brains(REGIONS)
    assert not can_draw_brains(REGIONS[180:] + REGIONS[:180])
    with pytest.raises(ShapeError, match="360 regions"):
        draw_brain_maps({"a": np.zeros((1, 4))}, ("early",))


@pytest.mark.slow
def test_one_region_is_coloured_on_the_surface():
    """The primary motor cortex covers a few per cent of the side; the other regions keep the colour of nothing."""
    drawn = to_png(draw_brain_maps({"motor": MOTOR}, ("early",)))
    high, nothing = fraction_of(drawn, LIGHT.sequential[-1]), fraction_of(drawn, LIGHT.rule)
    assert 0.01 < high / (high + nothing) < 0.15
    assert nothing > 0.05
