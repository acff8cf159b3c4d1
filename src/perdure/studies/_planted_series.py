"""Series with known evidence, and the networks that read them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.studies._planted_model import PlantedModel

__all__ = [
    "OPPOSED",
    "OPPOSITE",
    "SAMPLES",
    "Planted",
    "plant_coincidences",
    "plant_early",
    "plant_jumps",
    "plant_late",
    "plant_linear",
    "plant_motifs",
    "plant_pulses",
    "plant_saturating",
    "plant_waves",
]

SAMPLES = 96

BACKGROUND = 0.3
"""Standard deviation of the noise around evidence of size one."""

OPPOSITE = torch.tensor([[-0.5], [0.5]])
"""Readout of one hidden unit, the evidence for the second of two classes."""

OPPOSED = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
"""Readout of two hidden units, each the evidence for one of two classes."""


class Planted(NamedTuple):
    """A network with inputs, or token ids, and the mask of texts."""

    model: PlantedModel
    inputs: Float[Tensor, "batch *site"] | Int[Tensor, "batch time"]
    mask: Bool[Tensor, "batch time"] | None = None


def plant_linear(draw: torch.Generator) -> Planted:
    """Weigh every number."""
    return _weigh(torch.randn(24, 4, generator=draw), draw)


def plant_late(draw: torch.Generator) -> Planted:
    """Weigh late steps more, as a leaky integrator does."""
    return _weigh(0.8 ** torch.arange(19, -1, -1.0)[:, None] * torch.randn(20, 5, generator=draw), draw)


def plant_early(draw: torch.Generator) -> Planted:
    """Weigh the first third of the steps."""
    return _weigh(torch.randn(30, 3, generator=draw) * (torch.arange(30) < 10)[:, None], draw)


def plant_saturating(draw: torch.Generator) -> Planted:
    """Add the hyperbolic tangents of weighted numbers."""
    sign = torch.randn(15, 6, generator=draw).sign()
    return _weigh(sign * (1 + 2 * torch.rand(15, 6, generator=draw)), draw, "tanh")


def plant_waves(draw: torch.Generator) -> Planted:
    """Weigh each feature by a wave, up to a largest logit."""
    frequency, phase = 0.2 + 0.5 * torch.rand(4, generator=draw), 6.28 * torch.rand(4, generator=draw)
    return _weigh(torch.sin(torch.arange(28.0)[:, None] * frequency + phase), draw, saturation=3.0)


def _weigh(
    weight: Float[Tensor, "time feature"],
    draw: torch.Generator,
    activation: str = "identity",
    saturation: float | None = None,
) -> Planted:
    window = torch.arange(weight.numel())[:, None]
    hidden = weight.reshape(-1, 1, 1, 1)
    model = PlantedModel(window, hidden, torch.zeros(1), OPPOSITE, activation=activation, saturation=saturation)
    return Planted(model, torch.randn(SAMPLES, *weight.shape, generator=draw))


def plant_pulses(draw: torch.Generator) -> Planted:
    """Add the pulses of two features, while a third has larger pulses, and a fourth larger noise, without meaning."""
    steps, features = 25, 4
    inputs = BACKGROUND * torch.randn(SAMPLES, steps, features, generator=draw)
    label = torch.randint(2, (SAMPLES,), generator=draw)
    for feature, size, count in ((0, 1.0, 3), (1, 1.0, 3), (2, 3.0, 4)):
        present = (label == feature) | (feature == 2)
        step = torch.rand(SAMPLES, steps, generator=draw).argsort(1)[:, :count]
        inputs[torch.arange(SAMPLES)[:, None], step, feature] += size * present[:, None]
    inputs[:, :, 3] *= 6
    hidden = torch.eye(features)[:, :2].repeat(steps, 1)[:, :, None, None]
    window = torch.arange(steps * features)[:, None]
    return Planted(PlantedModel(window, hidden, torch.full((2,), -0.6), OPPOSED, activation="relu"), inputs)


def plant_motifs(draw: torch.Generator) -> Planted:
    """Detect one of three motifs of four steps in one feature, wherever it is."""
    motifs = torch.tensor([[1.0, -1, 1, -1], [1, 1, -1, -1], [-1, 1, 1, -1]])
    inputs = torch.randn(SAMPLES, 32, 3, generator=draw) * torch.tensor([BACKGROUND, 2.0, 2.0])
    label, start = torch.randint(3, (SAMPLES,), generator=draw), torch.randint(29, (SAMPLES,), generator=draw)
    inputs[torch.arange(SAMPLES)[:, None], start[:, None] + torch.arange(4), 0] += motifs[label]
    window = (torch.arange(29)[:, None] + torch.arange(4)) * 3
    readout = 1.5 * torch.eye(3) - 0.5
    return Planted(
        PlantedModel(window, motifs[None, ..., None], torch.full((3,), -2.0), readout, activation="relu"), inputs
    )


def plant_jumps(draw: torch.Generator) -> Planted:
    """Detect jumps up or down in one feature, while two others drift far."""
    steps = 24
    inputs = torch.randn(SAMPLES, steps, 3, generator=draw).cumsum(1) * torch.tensor([0.15, 0.8, 0.8])
    up = torch.randint(2, (SAMPLES,), generator=draw) * 2.0 - 1
    start = torch.rand(SAMPLES, steps - 1, generator=draw).argsort(1)[:, :2] + 1
    after = torch.arange(steps) >= start[..., None]
    inputs[:, :, 0] += (after[:, 0].float() - after[:, 1].float()).sign() * up[:, None]
    window = (torch.arange(steps - 1)[:, None] + torch.arange(2)) * 3
    hidden = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    early = (torch.arange(steps - 1) < steps // 2)[:, None, None] * 2.0 - 1
    model = PlantedModel(window, (early * hidden)[..., None], torch.full((2,), -0.5), OPPOSED, activation="relu")
    return Planted(model, inputs)


def plant_coincidences(draw: torch.Generator) -> Planted:
    """Detect events in which two features are high at once: one pair for each class, neither feature alone."""
    steps, features = 20, 5
    inputs = BACKGROUND * torch.randn(SAMPLES, steps, features, generator=draw)
    label = torch.randint(2, (SAMPLES,), generator=draw)
    pairs = torch.tensor([[0, 1], [2, 3]])
    rows = torch.arange(SAMPLES)[:, None]
    for number in range(3):
        step = torch.randint(steps, (SAMPLES, 1), generator=draw)
        inputs[rows, step, pairs[label]] += 1.0
        alone = torch.randint(steps, (SAMPLES, 1), generator=draw)
        inputs[rows, alone, number] += 1.0
    inputs[:, :, 4] *= 8
    window = (torch.arange(steps)[:, None, None] * features + pairs).flatten(0, 1)
    of_pair = torch.eye(2).repeat(steps, 1)[:, :, None, None].expand(-1, -1, 2, -1)
    return Planted(PlantedModel(window, of_pair.clone(), torch.full((2,), -1.4), OPPOSED, activation="relu"), inputs)
