import io

import numpy as np
from matplotlib.image import imread

from perdure.report.heatmap import Limits
from perdure.report.pictures import map_panel, picture_panel


def pixels(png):
    return imread(io.BytesIO(png))[..., :3]


def test_an_image_is_shown_upright_in_its_colours():
    image = np.full((3, 2, 4), -1.0)
    image[0, 0, 3] = 1.0  # red, at the right of the first row
    found = picture_panel(image, (-1.0, 1.0))
    assert found.size == (4, 2)
    seen = pixels(found.light)
    assert seen.shape == (2, 4, 3)
    assert seen[0, 3].tolist() == [1.0, 0.0, 0.0]
    assert seen.sum() == 1.0


def test_other_numbers_of_channels_are_grey():
    seen = pixels(picture_panel(np.array([[[0.0, 1.0]], [[0.0, 0.0]]]), (0.0, 1.0)).light)
    assert np.ptp(seen, axis=2).max() == 0
    assert np.allclose(seen[0, :, 0], [0.0, 128 / 255])


def test_map_and_image_have_the_same_outline():
    truth = np.zeros((4, 6), dtype=bool)
    truth[1, 2:5] = True
    image = picture_panel(np.zeros((1, 4, 6)), (0.0, 1.0), truth)
    found = map_panel(np.ones((4, 6)), Limits(1.0, False), truth)
    assert image.outline == found.outline
    assert "M2 1L5 1" in image.outline
    assert found.size == (6, 4)
