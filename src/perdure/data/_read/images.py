"""Pictures: from encoded bytes to the numbers a network reads."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import SettingError
from perdure.core.optional import require
from perdure.core.printable import printable
from perdure.data._read.guard import FAILURES

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Colour",
    "Decoded",
    "check_colours",
    "decode",
    "normalise",
    "picture_suffixes",
]

Colour = tuple[float, float, float]
"""One number for each of red, green and blue."""

IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)
"""Mean and standard deviation of the pixels of ImageNet, where 1 is full light, which published weights expect."""

RUN_PROGRAMS = {"EPS", "WMF"}
"""Formats that Pillow hands to a program or a driver of the system; they are not read."""

BITS, PHOTOMETRIC, ORIENTATION = 258, 262, 274
"""Tags of TIFF and EXIF."""

WHITE_IS_ZERO = 0
QUARTER_TURNS = (5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture as pixels.

    Args:
        pixels: Red, green and blue from 0 to 255, shape (row, column, 3); whole numbers, or floats where the file
            holds more than 8 bits.
        rows: Rows of the picture as it is shown.
        columns: Columns of the picture as it is shown.
        is_turned: Whether its EXIF orientation exchanges the rows and columns of the file.
    """

    pixels: np.ndarray
    rows: int
    columns: int
    is_turned: bool = False


def decode(data: bytes, size: int | None = None) -> Decoded:
    """Decode a picture, straight to a square where a size is given.

    The picture is turned as its EXIF orientation demands. Grey values of 16 bits are divided by 65535, floats must lie
    in [0, 1]; palettes, grey and CMYK become red, green and blue. Alpha is dropped, as torchvision does. Of an
    animation the first frame is read.

    Args:
        data: File in any format that Pillow reads, except EPS and WMF, which would run a program.
        size: Rows and columns of the result; None keeps those of the picture.

    Returns:
        Its pixels, and the size it had.

    Raises:
        DependencyError: Without Pillow.
        ValueError: When the picture cannot be decoded, damage and absurd size included.
    """
    Image = _pillow()  # noqa: N806
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture, is_turned = _open(data)
            resized = picture if size is None else picture.resize((size, size), Image.Resampling.BILINEAR)
            pixels = np.asarray(resized)
    except (*FAILURES, AssertionError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(printable(str(error) or type(error).__name__)) from error
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Decoded(pixels, picture.height, picture.width, is_turned)


@cache
def picture_suffixes() -> frozenset[str]:
    """List the suffixes of the formats that `decode` reads, in lower case.

    Returns:
        Those that Pillow registers, with the dot.

    Raises:
        DependencyError: Without Pillow.

    Example:
        >>> {".png", ".jpg", ".jfif", ".webp", ".tif", ".bmp", ".gif"} <= picture_suffixes()
        True
    """
    registered = _pillow().registered_extensions()
    return frozenset(suffix for suffix, name in registered.items() if name in {*_formats(), "MPO"})  # a kind of JPEG


def normalise(pixels: np.ndarray, mean: Colour, deviation: Colour) -> Float[Tensor, "batch channel row column"]:
    r"""Return pixels as a network reads them.

    .. math:: x = (p / 255 - \text{mean}) / \text{deviation}

    Args:
        pixels: Numbers from 0 to 255, shape (batch, row, column, 3).
        mean: Mean, which is subtracted from each channel, where 1 is full light.
        deviation: Standard deviation, by which each channel is then divided.

    Returns:
        The images, channels first.

    Example:
        >>> white = np.full((1, 1, 1, 3), 255, dtype=np.uint8)
        >>> normalise(white, (0.5, 0.5, 0.0), (0.5, 0.25, 1.0)).flatten().tolist()
        [1.0, 2.0, 1.0]
    """
    light = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().contiguous().div_(255)
    return light.sub_(torch.tensor(mean)[:, None, None]).div_(torch.tensor(deviation)[:, None, None])


def check_colours(mean: Colour, deviation: Colour) -> None:
    """Check that pixels can be normalised.

    Args:
        mean: Mean of each channel.
        deviation: Standard deviation of each channel.

    Raises:
        SettingError: When a standard deviation is not positive.
    """
    if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
        raise SettingError(
            f"mean is {mean}, deviation is {deviation}", "give three numbers for each, the deviations above zero"
        )


def _pillow() -> Any:
    return require("PIL.Image", extra="vision", purpose="reading images")


@cache
def _formats() -> tuple[str, ...]:
    Image = _pillow()  # noqa: N806
    Image.preinit()  # registers the common formats first, which are then tried first
    Image.init()
    return tuple(name for name in Image.ID if name not in RUN_PROGRAMS)


def _open(data: bytes) -> tuple[Image, bool]:
    """Return a picture in mode RGB, or F from 0 to 255, and whether it was turned by a quarter."""
    from PIL import Image, ImageOps

    stored = Image.open(io.BytesIO(data), formats=_formats())
    full = _full_light(stored)
    is_turned = stored.getexif().get(ORIENTATION, 1) in QUARTER_TURNS
    picture = ImageOps.exif_transpose(stored)
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_light(np.asarray(picture, dtype=np.float64), picture.mode, full)), is_turned
    if "transparency" in picture.info:  # a palette whose alpha Pillow does not leave off by itself
        picture = picture.convert("RGBA")
    return picture.convert("RGB"), is_turned


def _full_light(picture: Image) -> tuple[float, float]:
    """Return the values of black and white where a picture holds whole numbers of more than 8 bits."""
    tags = getattr(picture, "tag_v2", {})
    bits = tags.get(BITS, (16,))[0]
    white = 2.0 ** min(bits, 16) - 1
    return (white, 0.0) if tags.get(PHOTOMETRIC, 1) == WHITE_IS_ZERO else (0.0, white)


def _light(values: np.ndarray, mode: str, full: tuple[float, float]) -> np.ndarray:
    """Scale values to [0, 255]."""
    black, white = (0.0, 1.0) if mode == "F" else full
    low, high = float(values.min()), float(values.max())
    if not (min(black, white) <= low and high <= max(black, white)):
        kind = "floats" if mode == "F" else "whole numbers"
        raise ValueError(
            f"it holds {kind} from {low:g} to {high:g}, where full light is {max(black, white):g}; scale them to that, "
            "or save the picture with 8 bits"
        )
    light: np.ndarray = ((values - black) / (white - black) * 255).astype(np.float32)
    return light
