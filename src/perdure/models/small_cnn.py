"""A small convolutional network for small images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.check import check_choice, check_counts, check_images
from perdure.models._weights import build_network

__all__ = ["SmallCNN", "SmallCNNClassifier"]

Pooling = Literal["mean", "max"]
POOLS: dict[Pooling, type[nn.Module]] = {"mean": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}


@dataclass(frozen=True)
class SmallCNN:
    """Classify small images with a few blocks of convolution, ReLU and max pooling.

    Args:
        width: Channels of the first block; the others have twice as many.
        blocks: Number of blocks, each of which halves rows and columns.
        pooling: Pooling of each channel of the last block over the image.

    Raises:
        SettingError: For a value that cannot be used.
    """

    width: int = 32
    blocks: int = 3
    pooling: Pooling = "max"

    def __post_init__(self) -> None:
        check_counts(width=self.width, blocks=self.blocks)
        check_choice("pooling", self.pooling, get_args(Pooling))

    def build(self, features: int, classes: int, generator: torch.Generator) -> SmallCNNClassifier:
        """Build the network with weights drawn from a generator; the global random state is neither read nor changed.

        Args:
            features: Channels of the images.
            classes: Number of outputs.
            generator: Stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.
        """
        return build_network(lambda: SmallCNNClassifier(self, features, classes), generator)


class SmallCNNClassifier(nn.Module):
    """The network of a `SmallCNN`: `features` of convolutions, ReLUs and pools, `pool`, and a linear `head`.

    Every ReLU is a separate module and makes a new tensor, so that a hook receives the output of each layer.

    Args:
        config: Settings.
        channels: Channels of the images.
        classes: Number of outputs.

    Example:
        >>> model = SmallCNN(width=4).build(3, 2, torch.Generator().manual_seed(0))
        >>> model(torch.zeros(5, 3, 32, 32)).shape
        torch.Size([5, 2])
    """

    def __init__(self, config: SmallCNN, channels: int, classes: int) -> None:
        super().__init__()
        check_counts(features=channels, classes=classes)
        self.channels, self.smallest = channels, 2**config.blocks
        widths = [channels, config.width, *[2 * config.width] * (config.blocks - 1)]
        layers = [
            layer
            for read, given in pairwise(widths)
            for layer in (nn.Conv2d(read, given, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        ]
        self.features = nn.Sequential(*layers)
        self.pool = POOLS[config.pooling](1)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Float[Tensor, "batch channel row column"]) -> Float[Tensor, "batch classes"]:
        """Classify images.

        Args:
            x: Images, of any size from 2**blocks pixels.

        Returns:
            Logits.

        Raises:
            ShapeError: When x is not (batch, channels, rows, columns), or an image is too small.
        """
        check_images(x, self.channels, self.smallest)
        logits: Tensor = self.head(self.pool(self.features(x)).flatten(1))
        return logits
