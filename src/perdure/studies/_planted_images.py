"""Images with known pixels, and the networks that read them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from perdure.studies._planted_model import PlantedModel
from perdure.studies._planted_series import OPPOSED, OPPOSITE, SAMPLES, Planted

__all__ = [
    "plant_bars",
    "plant_centre",
    "plant_colours",
    "plant_dots",
    "plant_patches",
    "plant_template",
    "plant_tints",
]

SIDE = 12
"""Rows and columns."""


def plant_template(draw: torch.Generator) -> Planted:
    """Weigh every pixel by a smooth template."""
    weight = _smooth(torch.randn(1, 1, SIDE, SIDE, generator=draw)).flatten()
    inputs = torch.randn(SAMPLES, 1, SIDE, SIDE, generator=draw)
    return Planted(_read_pixels(weight[:, None, None, None], 0.0, OPPOSITE, "identity"), inputs)


def plant_centre(draw: torch.Generator) -> Planted:
    """Add the hyperbolic tangents of weighted pixels of a square in the middle."""
    weight = torch.zeros(SIDE, SIDE)
    weight[3:9, 3:9] = 2 * torch.randn(6, 6, generator=draw).sign()
    inputs = torch.randn(SAMPLES, 1, SIDE, SIDE, generator=draw)
    return Planted(_read_pixels(weight.flatten()[:, None, None, None], 0.0, OPPOSITE, "tanh"), inputs)


def plant_tints(draw: torch.Generator) -> Planted:
    """Weigh every channel of every pixel by smooth templates, up to a largest logit."""
    weight = _smooth(torch.randn(3, 1, SIDE, SIDE, generator=draw)).flatten(1).T
    inputs = torch.randn(SAMPLES, 3, SIDE, SIDE, generator=draw)
    return Planted(_read_pixels(weight[:, None, None, :], 0.0, OPPOSITE, "identity", saturation=3.0), inputs)


def plant_colours(draw: torch.Generator) -> Planted:
    """Add reddish and greenish pixels, on a brighter grey background with texture."""
    inputs = 1 + _smooth(torch.randn(SAMPLES, 1, SIDE, SIDE, generator=draw))
    inputs = inputs + 0.1 * torch.randn(SAMPLES, 3, SIDE, SIDE, generator=draw)
    label = torch.randint(2, (SAMPLES,), generator=draw)
    tint = torch.tensor([[0.8, -0.4, 0.0], [-0.4, 0.8, 0.0]])[..., None, None]
    for image, (row, column) in enumerate(torch.randint(SIDE - 3, (SAMPLES, 2), generator=draw).tolist()):
        patch = inputs[image, :, row : row + 3, column : column + 3]
        patch.mul_(0.3).add_(tint[label[image]])
    weight = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])[None, :, None, :]
    return Planted(_read_pixels(weight, -0.6, OPPOSED, "relu"), inputs)


def plant_dots(draw: torch.Generator) -> Planted:
    """Add bright dots against dark ones beyond a threshold, within a texture that does not reach it."""
    inputs = _smooth(torch.randn(SAMPLES, 1, SIDE, SIDE, generator=draw)).clamp(-0.8, 0.8)
    side = torch.randint(2, (SAMPLES,), generator=draw) * 2.0 - 1
    place = torch.rand(SAMPLES, SIDE * SIDE, generator=draw).argsort(1)[:, :8]
    sign = torch.tensor([1.0, 1, 1, 1, 1, -1, -1, -1]) * side[:, None]
    inputs.flatten(1).scatter_(1, place, 1.2 * sign)
    return Planted(_read_pixels(torch.tensor([1.0, -1.0])[None, :, None, None], -0.9, OPPOSED, "relu"), inputs)


def plant_patches(draw: torch.Generator) -> Planted:
    """Detect a checkered patch of two by two pixels, of one sign or the other, on a brighter ramp."""
    pattern = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    side = torch.randint(2, (SAMPLES,), generator=draw) * 2.0 - 1
    inputs = _put(draw, _draw_ramp(draw), 0.8 * side[:, None, None] * pattern)
    weight = torch.stack([-pattern.flatten(), pattern.flatten()])
    return Planted(_read_pixels(weight[None, ..., None], -1.6, OPPOSED, "relu", _windows(2, 2)), inputs)


def plant_bars(draw: torch.Generator) -> Planted:
    """Detect a bar of three pixels with dark ends, bright or dark in the middle, on a brighter ramp."""
    pattern = torch.tensor([[-0.5, 1.0, -0.5]])
    side = torch.randint(2, (SAMPLES,), generator=draw) * 2.0 - 1
    inputs = _put(draw, _draw_ramp(draw), 1.2 * side[:, None, None] * pattern)
    weight = torch.stack([-pattern.flatten(), pattern.flatten()])
    return Planted(_read_pixels(weight[None, ..., None], -1.0, OPPOSED, "relu", _windows(1, 3)), inputs)


def _draw_ramp(draw: torch.Generator) -> Float[Tensor, "batch 1 row column"]:
    ramp = torch.linspace(-4, 4, SIDE)
    noise = 0.15 * torch.randn(SAMPLES, 1, SIDE, SIDE, generator=draw)
    return noise + torch.where(torch.rand(SAMPLES, 1, 1, 1, generator=draw) < 0.5, ramp, ramp[:, None])


def _put(draw: torch.Generator, inputs: Tensor, patches: Float[Tensor, "batch row column"]) -> Tensor:
    """Write one patch over each image, in place."""
    rows, columns = patches.shape[1:]
    places = torch.rand(SAMPLES, 2, generator=draw) * torch.tensor([SIDE - rows + 1, SIDE - columns + 1])
    for image, (row, column) in enumerate(places.long().tolist()):
        inputs[image, 0, row : row + rows, column : column + columns] = patches[image]
    return inputs


def _windows(rows: int, columns: int) -> Tensor:
    corner = torch.arange(SIDE - rows + 1)[:, None] * SIDE + torch.arange(SIDE - columns + 1)
    inside = torch.arange(rows)[:, None] * SIDE + torch.arange(columns)
    return corner.flatten()[:, None] + inside.flatten()


def _read_pixels(
    weight: Float[Tensor, "windows hidden player channel"],
    bias: float,
    readout: Tensor,
    activation: str,
    window: Tensor | None = None,
    saturation: float | None = None,
) -> PlantedModel:
    """Read windows of pixels; one pixel each if there are no others."""
    return PlantedModel(
        _windows(1, 1) if window is None else window,
        weight,
        torch.full((weight.shape[1],), bias),
        readout,
        activation=activation,
        granularity="position",
        saturation=saturation,
    )


def _smooth(images: Tensor) -> Tensor:
    return avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
