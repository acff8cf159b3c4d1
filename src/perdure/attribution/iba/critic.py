"""The critics of the adversarial stage, one for features of images and one for features of series."""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.errors import UnsupportedError

__all__ = ["SeriesCritic", "make_critic", "make_image_critic"]

SLOPE = 0.2
"""Of the leaky rectifier below zero."""


def make_critic(features: Float[Tensor, "*neuron"], generator: torch.Generator) -> nn.Module:
    """Build the critic of one sample, with weights drawn from a generator.

    Args:
        features: Features of one sample: (time, neuron), or (channel, row, column) of at least 4 x 4.
        generator: Stream of the weights.

    Returns:
        A network in training mode from a batch of features to one number each.

    Raises:
        UnsupportedError: If the features have another form.

    Reference:
        zhang2021inputiba

    Example:
        >>> critic = make_critic(torch.zeros(8, 4, 4), torch.Generator().manual_seed(0))
        >>> critic(torch.zeros(2, 8, 4, 4)).shape
        torch.Size([2, 1])
    """
    if features.ndim not in (2, 3) or (features.ndim == 3 and min(features.shape[1:]) < 4):
        raise UnsupportedError(
            f"the published critic has no form for features of shape {tuple(features.shape)}",
            "name a layer that gives (time, neuron), or 4 rows and columns or more; or give prior='moments'",
        )
    with torch.device("meta"):
        critic = make_image_critic(*features.shape) if features.ndim == 3 else SeriesCritic(features.shape[1])
    critic = critic.to_empty(device=features.device).to(features.dtype)
    for module in critic.modules():
        _draw(module, generator)
    return critic


def make_image_critic(channels: int, rows: int, columns: int) -> nn.Sequential:
    """Build three convolutions and three linear layers, as published.

    Args:
        channels: Number of channels of the features.
        rows: Number of rows.
        columns: Number of columns.

    Returns:
        The network.
    """

    def block(read: int, write: int, size: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(read, write, size, stride, 1), nn.BatchNorm2d(write), nn.LeakyReLU(SLOPE)]

    flat = channels * (rows // 4) * (columns // 4)
    return nn.Sequential(
        *block(channels, 2 * channels, 4, 2),
        *block(2 * channels, 4 * channels, 4, 2),
        *block(4 * channels, channels, 3, 1),
        nn.Flatten(),
        *(nn.Linear(flat, 512), nn.LeakyReLU(SLOPE)),
        *(nn.Linear(512, 256), nn.LeakyReLU(SLOPE)),
        nn.Linear(256, 1),
    )


class SeriesCritic(nn.Module):
    """An LSTM over the features of a series, with a head on its last state.

    Args:
        neurons: Number of features of a step.
    """

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(neurons, neurons, batch_first=True)
        self.head = nn.Sequential(nn.Linear(neurons, 128), nn.LeakyReLU(SLOPE), nn.Linear(128, 1))

    def forward(self, features: Float[Tensor, "batch time neuron"]) -> Float[Tensor, "batch 1"]:
        """Compute the output of the critic.

        Args:
            features: Features of a layer.

        Returns:
            One number for each series.
        """
        outputs: Tensor = self.head(self.lstm(features)[1][0][-1])
        return outputs


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of a module as torch does, from a separate stream."""
    if isinstance(module, nn.BatchNorm2d):
        module.reset_running_stats()
        module.reset_parameters()
    elif isinstance(module, nn.Conv2d | nn.Linear | nn.LSTM):
        fan = module.hidden_size if isinstance(module, nn.LSTM) else prod(module.weight.shape[1:])
        for weight in module.parameters():
            nn.init.uniform_(weight, -(fan**-0.5), fan**-0.5, generator=generator)
