import numpy as np

from perdure.report.charts.figure import to_png
from perdure.report.charts.mosaic import draw_digits, draw_moving_boxes, draw_sample_grid
from tests.report.conftest import HOSTILE

MAPS = np.random.default_rng(0).random((2, 6, 4))
TRUTH = np.zeros((2, 6, 4), dtype=bool)
TRUTH[:, 1:3, 1:2] = True


def images(figure):
    return [axes.images[0] for axes in figure.axes if axes.images and not axes.get_label().startswith("<colorbar")]


def test_a_sample_grid_holds_inputs_as_they_are_and_maps_as_even_shares():
    drawn = images(draw_sample_grid(MAPS, {"LSTM": MAPS, "scaled": 10 * MAPS}, TRUTH))
    assert len(drawn) == 6
    np.testing.assert_array_equal(drawn[0].get_array(), MAPS[0].T)
    np.testing.assert_allclose(drawn[1].get_array(), MAPS[0].T / MAPS[0].mean())
    np.testing.assert_allclose(drawn[1].get_array(), drawn[2].get_array())
    assert drawn[1].get_clim() == drawn[2].get_clim()


def test_moving_boxes_outline_the_box_of_each_row():
    figure = draw_moving_boxes({"LSTM": MAPS}, ["start 0", "start 10"], TRUTH)
    for axes in figure.axes[:2]:
        corners = np.concatenate(axes.collections[0].get_segments())
        assert (corners.min(0).tolist(), corners.max(0).tolist()) == ([1, 1], [3, 2])


def test_digits_are_upright():
    drawn = images(draw_digits(MAPS, {"LSTM": -MAPS}, ["zero", "one"]))
    np.testing.assert_array_equal(drawn[0].get_array(), MAPS[0])
    low, high = drawn[1].get_clim()
    assert low == -high


def test_hostile_names_are_drawn():
    assert to_png(draw_sample_grid(MAPS, {HOSTILE: MAPS}, TRUTH, [HOSTILE] * 2), 40)
