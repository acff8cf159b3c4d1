"""Pictures: from encoded bytes to the numbers a network reads."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import SettingError
from perdure.core.optional import require

__all__ = ["IMAGENET_DEVIATION", "IMAGENET_MEAN", "Colour", "Decoded", "check_colours", "decode", "normalised"]

Colour = tuple[float, float, float]
"""One number for each of red, green and blue."""

IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Colour = (0.229, 0.224, 0.225)
"""Of the pixels of ImageNet, where 1 is full light: what published weights expect."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture as pixels.

    Args:
        pixels: red, green and blue from 0 to 255, shape (row, column, 3).
        rows: that the picture had in its file.
        columns: that it had there.
    """

    pixels: np.ndarray
    rows: int
    columns: int


def decode(data: bytes, size: int | None = None) -> Decoded:
    """Decode a picture, straight to a square where a size is given.

    Args:
        data: a file in any format that Pillow reads.
        size: rows and columns of the result; None keeps those of the picture.

    Returns:
        Its pixels, and the size it had.

    Raises:
        DependencyError: without Pillow.
        ValueError: when the picture cannot be decoded, damage and absurd size included.
    """
    Image = require("PIL.Image", extra="vision", purpose="reading images")  # noqa: N806
    try:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    resized = picture if size is None else picture.resize((size, size), Image.Resampling.BILINEAR)
    return Decoded(np.asarray(resized), picture.height, picture.width)


def normalised(pixels: np.ndarray, mean: Colour, deviation: Colour) -> Float[Tensor, "batch channel row column"]:
    r"""Give pixels as a network reads them.

    .. math:: x = (p / 255 - \text{mean}) / \text{deviation}

    Args:
        pixels: from 0 to 255, shape (batch, row, column, 3).
        mean: of each channel, where 1 is full light.
        deviation: of each channel.

    Returns:
        The images, channels first.

    Example:
        >>> white = np.full((1, 1, 1, 3), 255, dtype=np.uint8)
        >>> normalised(white, (0.5, 0.5, 0.0), (0.5, 0.25, 1.0)).flatten().tolist()
        [1.0, 2.0, 1.0]
    """
    light = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().contiguous().div_(255)
    return light.sub_(torch.tensor(mean)[:, None, None]).div_(torch.tensor(deviation)[:, None, None])


def check_colours(mean: Colour, deviation: Colour) -> None:
    """Check that pixels can be normalised.

    Args:
        mean: of each channel.
        deviation: of each channel.

    Raises:
        SettingError: when a deviation is not positive.
    """
    if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
        raise SettingError(
            f"mean is {mean}, deviation is {deviation}", "give three numbers for each, the deviations above zero"
        )
