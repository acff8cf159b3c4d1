"""Published: a vision model of timm or torchvision by its name, without its published weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from perdure.models._pretrained import load_pretrained
from perdure.models.factory import own_random_state

__all__ = ["Published"]


@dataclass(frozen=True)
class Published:
    """A vision model of timm or torchvision by its name.

    Its weights are drawn at random; published ones are loaded from a local file, and nothing is downloaded.

    Args:
        name: Name in timm, such as "resnet18", or in torchvision, as in "torchvision/vgg16".

    Reference:
        perdure
    """

    name: str

    def build(self, features: int, classes: int, generator: torch.Generator) -> nn.Module:
        """Build the model with weights drawn from a generator; the global random state is left alone.

        Args:
            features: Channels of the images; models of torchvision read three.
            classes: Number of outputs.
            generator: Stream of the weights; the model is moved to its device.

        Returns:
            A new model in training mode.

        Raises:
            DependencyError: When timm or torchvision is missing.
            UnknownNameError: When neither has a model of this name.
        """
        with own_random_state(generator):
            model = load_pretrained(self.name, weights=False, classes=classes, channels=features)
        return model.to(generator.device).train()
