"""Residual networks, with the names that published weights have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.check import check_choice, check_counts, check_images
from perdure.models._weights import build_network

__all__ = ["ResNet", "ResNetClassifier"]

Depth = Literal[18, 50]
WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True)
class ResNet:
    """Classify images with blocks that each add a residual to their input.

    Args:
        depth: 18 layers, in blocks of two, or 50, in blocks of three.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        he2016deep

    Notes:
        Names and shapes of the weights are those of torchvision, so its state dicts load from a local file::

            model = ResNet(50).build(3, 1000, torch.Generator())
            load_into(model, "resnet50-11ad3fa6.pth")  # perdure.training.checkpoint

        As there, the second of the three convolutions of a block takes the stride; in the paper it is the first.
    """

    depth: Depth = 18

    def __post_init__(self) -> None:
        check_choice("depth", self.depth, get_args(Depth))

    def build(self, features: int, classes: int, generator: torch.Generator) -> ResNetClassifier:
        """Build the network with weights drawn from a generator; the global random state is neither read nor changed.

        Args:
            features: Channels of the images.
            classes: Number of outputs.
            generator: Stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.
        """
        return build_network(lambda: ResNetClassifier(self, features, classes), generator)


class ResNetClassifier(nn.Module):
    """The network of a `ResNet`: a stem, `layer1` to `layer4`, the mean over the image, and a linear head `fc`.

    Args:
        config: Settings.
        channels: Channels of the images.
        classes: Number of outputs.

    Example:
        >>> with torch.device("meta"):
        ...     model = ResNetClassifier(ResNet(50), 3, 1000)
        >>> sum(weight.numel() for weight in model.parameters())
        25557032
    """

    def __init__(self, config: ResNet, channels: int, classes: int) -> None:
        super().__init__()
        check_counts(features=channels, classes=classes)
        self.channels = channels
        block, blocks = KINDS[config.depth]
        self.conv1 = nn.Conv2d(channels, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        given = [width * block.expansion for width in WIDTHS]
        stages = [
            _stage(block, read, width, count, stride=1 if width == WIDTHS[0] else 2)
            for read, width, count in zip([WIDTHS[0], *given], WIDTHS, blocks, strict=False)
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(given[-1], classes)

    def forward(self, x: Float[Tensor, "batch channel row column"]) -> Float[Tensor, "batch classes"]:
        """Classify images.

        Args:
            x: Images.

        Returns:
            Logits.

        Raises:
            ShapeError: When x is not (batch, channels, rows, columns).
        """
        check_images(x, self.channels)
        z = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        z = self.layer4(self.layer3(self.layer2(self.layer1(z))))
        logits: Tensor = self.fc(self.avgpool(z).flatten(1))
        return logits


class BasicBlock(nn.Module):
    """Two convolutions of 3x3. Every ReLU of a block is a separate module, so that it can be hooked by name.

    Args:
        read: Input channels.
        width: Channels of its convolutions.
        stride: Stride of the first convolution.
    """

    expansion = 1

    def __init__(self, read: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(read, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(read, width, stride)
        self.relu2 = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch read row column"]) -> Float[Tensor, "batch width row2 column2"]:
        """Add the residual to the input.

        Args:
            x: Input channels.

        Returns:
            The sum, rectified.
        """
        z = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        rectified: Tensor = self.relu2(z + (x if self.downsample is None else self.downsample(x)))
        return rectified


class Bottleneck(nn.Module):
    """A convolution of 3x3 between two of 1x1, on a quarter of the channels.

    Args:
        read: Input channels.
        width: Channels of its convolution of 3x3.
        stride: Stride of that convolution.
    """

    expansion = 4

    def __init__(self, read: int, width: int, stride: int) -> None:
        super().__init__()
        given = self.expansion * width
        self.conv1 = nn.Conv2d(read, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, given, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(given)
        self.downsample = _shortcut(read, given, stride)
        self.relu3 = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch read row column"]) -> Float[Tensor, "batch given row2 column2"]:
        """Add the residual to the input.

        Args:
            x: Input channels.

        Returns:
            The sum, rectified.
        """
        z = self.relu1(self.bn1(self.conv1(x)))
        z = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(z)))))
        rectified: Tensor = self.relu3(z + (x if self.downsample is None else self.downsample(x)))
        return rectified


KINDS: dict[Depth, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
"""The block of each depth, and the number of blocks of each stage."""


def _shortcut(read: int, given: int, stride: int) -> nn.Sequential | None:
    """Match the input of a block to its output, where their shapes differ."""
    if read == given and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(read, given, 1, stride=stride, bias=False), nn.BatchNorm2d(given))


def _stage(block: type[BasicBlock | Bottleneck], read: int, width: int, count: int, stride: int) -> nn.Sequential:
    later = [block(width * block.expansion, width, 1) for _ in range(count - 1)]
    return nn.Sequential(block(read, width, stride), *later)
