import io

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.image import imread

from perdure.report.charts.heatmap import (
    Limits,
    add_labels,
    draw_colour_scale,
    draw_image_panel,
    draw_map_panel,
    draw_panel,
    draw_pixels,
    find_limits,
    relative_to_uniform,
    trace_outline,
)
from perdure.report.charts.palette import DARK, LIGHT


def read(png: bytes) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(png), format="png")


def colour(code: str) -> np.ndarray:
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_one_pixel_a_site_time_to_the_right(palette):
    values = np.zeros((7, 3))
    values[5, 2] = 2.0
    image = read(draw_pixels(values, Limits(2.0, signed=False), palette))
    assert image.shape[:2] == (3, 7)
    np.testing.assert_allclose(image[2, 5, :3], colour(palette.sequential[-1]), atol=0.01)
    np.testing.assert_allclose(image[0, 0, :3], colour(palette.paper), atol=0.01)


def test_signed_colours_are_symmetric_and_nothing_is_paper():
    image = read(draw_pixels(np.array([[-1.0], [0.0], [1.0], [9.0]]), Limits(1.0, signed=True)))[0, :, :3]
    ends = [colour(code) for code in (LIGHT.diverging[0], LIGHT.paper, LIGHT.diverging[-1], LIGHT.diverging[-1])]
    np.testing.assert_allclose(image, ends, atol=0.01)


def test_steps_that_do_not_exist_are_transparent():
    image = read(draw_pixels(np.array([[1.0], [np.nan]]), Limits(1.0, signed=False)))
    assert image[0, :, 3].tolist() == [1.0, 0.0]


def test_limits_of_nothing_can_still_be_drawn():
    assert find_limits([np.zeros((2, 2)), np.full((2, 2), np.nan)]) == Limits(1.0, signed=False)


def test_limits_ignore_a_few_extreme_sites():
    values = np.ones(1000)
    values[0] = 1e6
    assert find_limits([values]).high == 1.0


@given(arrays(float, (2, 3, 4), elements=st.floats(-5, 5)), st.floats(0.1, 10))
def test_even_shares_forget_the_scale_and_average_one(maps, factor):
    fractions = relative_to_uniform(maps)
    np.testing.assert_allclose(relative_to_uniform(maps * factor), fractions, atol=1e-9)
    expected = (np.abs(maps).sum((1, 2)) > 0).astype(float)
    np.testing.assert_allclose(np.abs(fractions).mean((1, 2)), expected, atol=1e-9)


def test_even_fractions_of_padded_maps_count_only_existing_sites():
    assert relative_to_uniform(np.array([[[1.0], [3.0], [np.nan]]]))[0, :2, 0].tolist() == [0.5, 1.5]


@given(arrays(bool, (5, 4)))
def test_an_outline_is_as_long_as_the_border(truth):
    padded = np.pad(truth, 1).astype(int)
    border = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    assert sum(abs(c - a) + abs(d - b) for (a, b), (c, d) in trace_outline(truth)) == border


def test_a_panel_holds_both_papers_and_its_outline():
    truth = np.array([[False, True], [False, True]])
    made = draw_panel(np.ones((2, 2)), Limits(1.0, signed=False), truth, "map")
    assert made.light != made.dark
    assert made.outline == "M0 1L0 2M2 1L2 2M0 1L2 1M0 2L2 2"
    assert (made.size, made.alt) == ((2, 2), "map")


def test_a_colour_scale_names_its_ends_and_middle():
    assert draw_colour_scale(Limits(2.0, signed=True), "input").ticks == ("\N{MINUS SIGN}2.00", "0", "2.00")
    assert read(draw_colour_scale(Limits(2.0, signed=False), "input").light).shape[:2] == (1, 256)


@pytest.mark.parametrize(("features", "shown"), [(12, True), (13, False)])
def test_names_are_left_out_where_they_would_not_fit(features, shown):
    names = tuple(map(str, range(features)))
    drawn = draw_panel(np.zeros((1, features)), Limits(1.0, False))
    assert add_labels(drawn, names).rows == (names if shown else ())
    assert add_labels(drawn, names[1:]).rows == ()
    assert add_labels(drawn).ends == ("step 1",)


def read_png(png):
    return imread(io.BytesIO(png))[..., :3]


def test_an_image_is_shown_upright_in_its_colours():
    image = np.full((3, 2, 4), -1.0)
    image[0, 0, 3] = 1.0  # red, at the right of the first row
    result = draw_image_panel(image, (-1.0, 1.0))
    assert result.size == (4, 2)
    seen = read_png(result.light)
    assert seen.shape == (2, 4, 3)
    assert seen[0, 3].tolist() == [1.0, 0.0, 0.0]
    assert seen.sum() == 1.0


def test_other_numbers_of_channels_are_grey():
    seen = read_png(draw_image_panel(np.array([[[0.0, 1.0]], [[0.0, 0.0]]]), (0.0, 1.0)).light)
    assert np.ptp(seen, axis=2).max() == 0
    assert np.allclose(seen[0, :, 0], [0.0, 128 / 255])


def test_map_and_image_have_the_same_outline():
    truth = np.zeros((4, 6), dtype=bool)
    truth[1, 2:5] = True
    image = draw_image_panel(np.zeros((1, 4, 6)), (0.0, 1.0), truth)
    result = draw_map_panel(np.ones((4, 6)), Limits(1.0, False), truth)
    assert image.outline == result.outline
    assert "M2 1L5 1" in image.outline
    assert result.size == (6, 4)
