"""Scenes with one shape among strokes: images whose informative sites are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sqrt

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from perdure.core.batch import Batch
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.data._splits import Splits

__all__ = ["Shapes"]

CLASSES = ("circle", "square", "triangle", "cross")

RADIUS = (0.15, 0.22)
"""Least and greatest radius of a circle of the same area, as a fraction of the image."""

REACH = sqrt(pi / (3 * sqrt(3) / 4))
"""Distance from the middle to the furthest corner of any shape, in these radii: that of the triangle."""

TURN = (-pi / 12, pi / 12)
"""Least and greatest angle by which a shape is turned."""

STROKE_LENGTH = (0.0, 0.22)
STROKE_WIDTH = (0.03, 0.08)
"""Least and greatest size of a stroke, as a fraction of the image; one of no length is a blob."""

TEXTURE_CELLS = 5
"""Points along each side between which the texture of the background is interpolated."""


@dataclass(frozen=True)
class Shapes:
    """Colour images of a circle, square, triangle or cross among strokes, on a background of texture and noise.

    The class is the shape. Its colour, size, place and turn are drawn independently of the class, and so is all
    else: the four shapes of one size have the same area, and the strokes have colours from the same distribution.
    The shape lies on top of the strokes and wholly inside the image, so the truth, all its pixels in every
    channel, is exact. Values lie from -1 to 1; zero is mid grey.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        size: Rows and columns; everything in the image scales with it.
        strokes: Number of strokes in each image.
        noise: Standard deviation of each value, where 2 lies between black and white.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        perdure

    Notes:
        Published tests on images know at most a bounding box; here a map can be evaluated by the pixel.
    """

    train: int = 2500
    validation: int = 300
    test: int = 500
    size: int = 32
    strokes: int = 6
    noise: float = 0.1

    def __post_init__(self) -> None:
        if min(self.train, self.validation, self.test) < 1:
            raise SettingError("a split of the shapes has fewer than one sample", "give positive numbers of samples")
        if self.size < 32:
            raise SettingError(
                f"size is {self.size}, too small to distinguish a circle from a square", "give 32 or more"
            )
        if self.strokes < 0 or self.noise < 0:
            raise SettingError(f"strokes is {self.strokes}, noise is {self.noise}", "give zero or positive numbers")

    def load(self, seed: int) -> Splits:
        """Draw the splits, each from its own stream.

        Args:
            seed: Seed of all splits.

        Returns:
            The splits; the test samples do not depend on the number of training samples.
        """
        train, validation, test = (
            self._draw_named(name, count, seed)
            for name, count in (("train", self.train), ("validation", self.validation), ("test", self.test))
        )
        return Splits(train, validation, test, CLASSES)

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw fresh samples, as many of each class.

        Args:
            count: Number of samples.
            generator: Stream, advanced by the draw.

        Returns:
            Samples in random order with the pixels of the shape as truth.

        Example:
            >>> batch = Shapes().draw(8, torch.Generator().manual_seed(0))
            >>> batch.inputs.shape, batch.label.bincount().tolist()
            (torch.Size([8, 3, 32, 32]), [2, 2, 2, 2])
            >>> bool((batch.truth[:, 0] == batch.truth[:, 1]).all())
            True
        """
        label = torch.randperm(count, generator=generator) % len(CLASSES)
        middle = 0.3 * _uniform((count, 3, 1, 1), (-1, 1), generator)
        images = middle + self._background(count, generator)
        for _ in range(self.strokes):
            images = torch.where(self._stroke(count, generator)[:, None], _colour(middle, generator), images)
        shape = self._shape(label, generator)[:, None]
        images = torch.where(shape, _colour(middle, generator), images)
        noisy = images + self.noise * torch.randn(images.shape, generator=generator)
        return Batch(noisy.clamp(-1, 1), label, truth=shape.expand(images.shape).clone())

    def _draw_named(self, name: str, count: int, seed: int) -> Batch:
        batch = self.draw(count, stream(seed, "shapes", name))
        return replace(batch, id=tuple(f"{name}-{i:06d}" for i in range(count)))

    def _background(self, count: int, generator: torch.Generator) -> Float[Tensor, "batch channel row column"]:
        coarse = torch.randn(count, 3, TEXTURE_CELLS, TEXTURE_CELLS, generator=generator)
        return 0.12 * interpolate(coarse, size=(self.size, self.size), mode="bilinear", align_corners=True)

    def _shape(self, label: Int[Tensor, " batch"], generator: torch.Generator) -> Bool[Tensor, "batch row column"]:
        radius = _uniform((len(label), 1, 1), RADIUS, generator)
        right, down = self._seen_from(REACH * radius, TURN, generator)
        each = [inside(right / radius, down / radius) for inside in (_circle, _square, _triangle, _cross)]
        return torch.stack(each)[label, torch.arange(len(label))]

    def _stroke(self, count: int, generator: torch.Generator) -> Bool[Tensor, "batch row column"]:
        length, width = (_uniform((count, 1, 1), ends, generator) for ends in (STROKE_LENGTH, STROKE_WIDTH))
        along, across = self._seen_from(torch.zeros(count, 1, 1), (0, pi), generator)
        beyond = (along.abs() - length / 2).clamp_min(0)
        return beyond.square() + across.square() < (width / 2).square()

    def _seen_from(
        self, margin: Float[Tensor, "batch 1 1"], turn: tuple[float, float], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the place of each pixel as seen from a thing that is placed and turned at random, in image sizes."""
        place = _uniform((2, *margin.shape), (0, 1), generator)
        down, right = margin + (1 - 2 * margin) * place
        angle = _uniform(margin.shape, turn, generator)
        pixel = (torch.arange(self.size) + 0.5) / self.size
        right, down = pixel - right, pixel[:, None] - down
        return right * angle.cos() + down * angle.sin(), down * angle.cos() - right * angle.sin()


def _circle(right: Tensor, down: Tensor) -> Tensor:
    """Return which places, in radii of a circle of the same area, lie inside; so do the others."""
    return right.square() + down.square() < 1


def _square(right: Tensor, down: Tensor) -> Tensor:
    return torch.maximum(right.abs(), down.abs()) < sqrt(pi) / 2


def _triangle(right: Tensor, down: Tensor) -> Tensor:
    """Three equal sides, each at half the distance of a corner."""
    slanted = right.abs() * sqrt(3) / 2 - down / 2
    return torch.maximum(down, slanted) < REACH / 2


def _cross(right: Tensor, down: Tensor) -> Tensor:
    """Two bars, three times as long as wide: five ninths of the square around them."""
    half = sqrt(pi * 9 / 5) / 2
    short, long = torch.minimum(right.abs(), down.abs()), torch.maximum(right.abs(), down.abs())
    return (long < half) & (short < half / 3)


def _colour(middle: Float[Tensor, "batch channel 1 1"], generator: torch.Generator) -> Tensor:
    """Draw a colour for each image, lighter than the middle of its background in every channel, or darker."""
    sign = 2.0 * torch.randint(2, (len(middle), 1, 1, 1), generator=generator) - 1
    return middle + sign * _uniform(middle.shape, (0.4, 0.7), generator)


def _uniform(shape: tuple[int, ...], ends: tuple[float, float], generator: torch.Generator) -> Tensor:
    low, high = ends
    return low + (high - low) * torch.rand(shape, generator=generator)
