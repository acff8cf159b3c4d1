import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from perdure.core.errors import DependencyError, SettingError
from perdure.data._read.images import IMAGENET_MEAN, IMAGENET_STD, check_colours, decode, normalise, picture_suffixes


def encode(picture, kind="PNG"):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_any_mode_become_three_channels(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    decoded = decode(encode(Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode), kind))
    assert decoded.pixels.shape == (4, 5, 3)
    assert (decoded.rows, decoded.columns) == (4, 5)
    assert (decoded.pixels == 255).all()


SIXTEEN = np.array([[0, 20000], [40000, 65535]], np.uint16)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_sixteen_bits_are_scaled_by_their_full_light(kind):
    pixels = decode(encode(Image.fromarray(SIXTEEN), kind)).pixels
    np.testing.assert_allclose(pixels / 255, np.repeat(SIXTEEN[..., None], 3, 2) / 65535, atol=1e-6)


def test_thirty_two_bits_are_read_up_to_sixteen_and_else_refused():
    whole = SIXTEEN.astype(np.int32)
    pixels = decode(encode(Image.fromarray(whole), "TIFF")).pixels
    np.testing.assert_allclose(pixels[..., 1] / 255, SIXTEEN / 65535, atol=1e-6)
    with pytest.raises(ValueError, match="whole numbers from 0 to 65536, where full light is 65535"):
        decode(encode(Image.fromarray(np.where(whole == 65535, 65536, whole)), "TIFF"))


def test_white_may_be_zero():
    stored = encode(Image.fromarray(SIXTEEN), "TIFF")
    inverted = io.BytesIO()
    Image.fromarray(SIXTEEN).save(inverted, "TIFF", tiffinfo={262: 0})
    np.testing.assert_allclose(decode(inverted.getvalue()).pixels, 255 - decode(stored).pixels, atol=1e-4)


def test_floats_lie_between_nothing_and_full_light():
    values = np.array([[0.0, 0.25], [0.5, 1.0]], np.float32)
    np.testing.assert_allclose(decode(encode(Image.fromarray(values), "TIFF")).pixels[..., 2], values * 255)
    for wrong in (values * 2, values - 1, values * np.nan):
        with pytest.raises(ValueError, match=r"holds floats from .*, where full light is 1"):
            decode(encode(Image.fromarray(wrong), "TIFF"))


def test_sixteen_bits_are_resized_without_rounding():
    pixels = decode(encode(Image.fromarray(np.full((4, 4), 20000, np.uint16))), 8).pixels
    np.testing.assert_allclose(pixels / 255, np.full((8, 8, 3), 20000 / 65535), atol=1e-6)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_pictures_are_turned_as_their_orientation_demands(orientation, corner, kind):
    """The stored picture is white in its upper left quarter."""
    stored, exif = np.zeros((16, 32, 3), np.uint8), Image.Exif()
    stored[:8, :16] = 255
    exif[274] = orientation
    file = io.BytesIO()
    Image.fromarray(stored).save(file, kind, exif=exif)
    decoded = decode(file.getvalue())
    shape = (16, 32) if orientation in (1, 3) else (32, 16)
    assert (decoded.rows, decoded.columns) == shape == decoded.pixels.shape[:2]
    quarters = decoded.pixels.reshape(2, shape[0] // 2, 2, shape[1] // 2, 3).mean((1, 3, 4))
    expected = np.zeros((2, 2))
    expected[corner] = 255
    np.testing.assert_allclose(quarters, expected, atol=3)


def test_palette_with_transparency_keeps_its_colours():
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=bytes([0, 128]))
    assert decode(file.getvalue()).pixels.tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_alpha_is_left_off():
    picture = Image.new("RGBA", (1, 1), (200, 100, 50, 64))
    assert decode(encode(picture)).pixels.tolist() == [[[200, 100, 50]]]
    assert decode(encode(Image.new("LA", (1, 1), (90, 10)))).pixels.tolist() == [[[90, 90, 90]]]


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("RGB", (2, 2), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert decode(file.getvalue()).pixels[0, 0].tolist() == [255, 0, 0]


def test_formats_that_run_programs_are_not_read():
    with pytest.raises(ValueError, match="cannot identify"):
        decode(encode(Image.new("RGB", (2, 2)), "EPS"))
    assert ".eps" not in picture_suffixes()


def test_a_picture_goes_straight_to_the_square():
    """Left half black, right half white: no crop, so each keeps its half, whatever the shape."""
    pixels = np.zeros((10, 80, 3), np.uint8)
    pixels[:, 40:] = 255
    decoded = decode(encode(Image.fromarray(pixels)), 16)
    assert (decoded.rows, decoded.columns) == (10, 80)
    assert decoded.pixels.shape == (16, 16, 3)
    assert (decoded.pixels[:, :7] == 0).all()
    assert (decoded.pixels[:, 9:] == 255).all()


@pytest.mark.parametrize("cut", [0, 4, 40, 100])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damage_is_a_value_error(kind, cut):
    whole = encode(Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 30, 3), dtype=np.uint8)), kind)
    with pytest.raises(ValueError, match=r"."):
        decode(whole[:cut])


def test_a_picture_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match="exceeds limit"):
        decode(encode(Image.new("RGB", (100, 100))))


def test_normalisation_is_that_of_published_weights():
    x = normalise(np.zeros((1, 2, 2, 3), np.uint8), IMAGENET_MEAN, IMAGENET_STD)
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
