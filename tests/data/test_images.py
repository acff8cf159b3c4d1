import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from perdure.core.errors import DependencyError, SettingError
from perdure.data.images import IMAGENET_DEVIATION, IMAGENET_MEAN, check_colours, decode, normalised


def encoded(picture, kind="PNG"):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_any_mode_become_three_channels(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    decoded = decode(encoded(Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode), kind))
    assert decoded.pixels.shape == (4, 5, 3)
    assert (decoded.rows, decoded.columns) == (4, 5)
    assert (decoded.pixels == 255).all()


def test_a_picture_goes_straight_to_the_square():
    """Left half black, right half white: no crop, so each keeps its half, whatever the shape."""
    pixels = np.zeros((10, 80, 3), np.uint8)
    pixels[:, 40:] = 255
    decoded = decode(encoded(Image.fromarray(pixels)), 16)
    assert (decoded.rows, decoded.columns) == (10, 80)
    assert decoded.pixels.shape == (16, 16, 3)
    assert (decoded.pixels[:, :7] == 0).all()
    assert (decoded.pixels[:, 9:] == 255).all()


@pytest.mark.parametrize("cut", [0, 4, 40, 100])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damage_is_a_value_error(kind, cut):
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 30, 3), dtype=np.uint8)), kind)
    with pytest.raises(ValueError, match=r"."):
        decode(whole[:cut])


def test_a_picture_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match="exceeds limit"):
        decode(encoded(Image.new("RGB", (100, 100))))


def test_normalisation_is_that_of_published_weights():
    x = normalised(np.zeros((1, 2, 2, 3), np.uint8), IMAGENET_MEAN, IMAGENET_DEVIATION)
    expected = [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    torch.testing.assert_close(x, torch.tensor(expected)[None, :, None, None].expand(1, 3, 2, 2))
    assert x.is_contiguous()


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DependencyError, match=r"pip install 'perdure\[vision\]'"):
        decode(b"")


def test_a_deviation_of_zero_is_refused():
    with pytest.raises(SettingError, match="the deviations above zero"):
        check_colours((0.5, 0.5, 0.5), (0.5, 0.0, 0.5))
