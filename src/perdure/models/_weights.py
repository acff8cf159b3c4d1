"""Weights of convolutional networks, drawn from a generator alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

__all__ = ["build_network", "draw_weights"]

Network = TypeVar("Network", bound=nn.Module)


def build_network(make: Callable[[], Network], generator: torch.Generator) -> Network:
    """Make a network with weights drawn from a generator; the global random state is neither read nor changed.

    Args:
        make: Function that makes it, with any weights.
        generator: Stream of the weights; the network is made on its device.

    Returns:
        A new network in training mode.
    """
    with torch.device("meta"):
        model = make()
    model = model.to_empty(device=generator.device)
    draw_weights(model, generator)
    return model


def draw_weights(model: nn.Module, generator: torch.Generator) -> None:
    r"""Draw new weights for all convolutions and linear layers, so that ReLUs keep the size of their inputs.

    .. math:: w \sim U(-\sqrt{6 / n}, \sqrt{6 / n}), \quad n \text{ inputs of a unit}

    A layer without a ReLU behind it gets the same; biases are zero, normalisations are the identity.

    Args:
        model: Network to modify.
        generator: Stream to draw from.

    Reference:
        he2015delving

    Example:
        >>> layer = nn.Linear(6, 100)
        >>> draw_weights(layer, torch.Generator().manual_seed(0))
        >>> layer.bias.any().item(), bool(0.95 < layer.weight.abs().max() <= 1)
        (False, True)
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
