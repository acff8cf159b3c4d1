"""VGG16, with the names that published weights have."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.check import check_counts, check_images
from perdure.core.errors import SettingError
from perdure.models._dropout import Dropout
from perdure.models._weights import build_network

__all__ = ["VGG16", "VGG16Classifier"]

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions before each pooling."""

HIDDEN = 4096
GRID = 7
"""Rows and columns that the first linear layer reads: a 32nd of 224."""


@dataclass(frozen=True)
class VGG16:
    """Classify images with sixteen layers: thirteen convolutions, three linear ones.

    Args:
        dropout: Fraction of the hidden units of the linear layers dropped in training.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        simonyan2015very

    Notes:
        Names and shapes of the weights are those of torchvision, so its state dicts load from a local file::

            model = VGG16().build(3, 1000, torch.Generator())
            load_into(model, "vgg16-397923af.pth")  # perdure.training.checkpoint
            save_checkpoint(Path("vgg16"), model, VGG16(), splits, {})  # the folder takes the place of a model

        These weights read images of 224x224, normalised as `ImageFolder` does by default.
    """

    dropout: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise SettingError(f"dropout is {self.dropout}", "give a fraction of at least 0 and below 1")

    def build(self, features: int, classes: int, generator: torch.Generator) -> VGG16Classifier:
        """Build the network with weights drawn from a generator; the global random state is neither read nor changed.

        Args:
            features: Channels of the images.
            classes: Number of outputs.
            generator: Stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.
        """
        return build_network(lambda: VGG16Classifier(self, features, classes), generator)


class VGG16Classifier(nn.Module):
    """The network of a `VGG16`: `features`, an average over a grid of 7x7, and the `classifier`.

    No ReLU works in place, other than in torchvision, whose ReLUs overwrite the output of the convolution before:
    the tensor that a hook on `features.17` keeps there is rectified later.

    Args:
        config: Settings.
        channels: Channels of the images.
        classes: Number of outputs.

    Example:
        >>> with torch.device("meta"):
        ...     model = VGG16Classifier(VGG16(), 3, 1000)
        >>> sum(weight.numel() for weight in model.parameters())
        138357544
    """

    def __init__(self, config: VGG16, channels: int, classes: int) -> None:
        super().__init__()
        check_counts(features=channels, classes=classes)
        self.channels = channels
        layers: list[nn.Module] = []
        read = channels
        for stage in STAGES:
            for given in stage:
                layers += [nn.Conv2d(read, given, 3, padding=1), nn.ReLU()]
                read = given
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(GRID)
        self.classifier = nn.Sequential(
            *(nn.Linear(read * GRID**2, HIDDEN), nn.ReLU(), Dropout(config.dropout)),
            *(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), Dropout(config.dropout)),
            nn.Linear(HIDDEN, classes),
        )

    def forward(self, x: Float[Tensor, "batch channel row column"]) -> Float[Tensor, "batch classes"]:
        """Classify images.

        Args:
            x: Images, of 32x32 pixels or more.

        Returns:
            Logits.

        Raises:
            ShapeError: When x is not (batch, channels, rows, columns), or an image is too small.
        """
        check_images(x, self.channels, 2 ** len(STAGES))
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits
