"""Small networks of kinds that the models of perdure do not contain: a TCN, a transformer and a perceptron."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["make_perceptron", "make_tcn", "make_transformer"]

WIDTH = 24


def make_tcn(features: int, classes: int) -> nn.Module:
    """Build a temporal convolutional network with batch normalisation.

    Args:
        features: Features of a step.
        classes: Number of outputs.

    Returns:
        A network of dilated convolutions whose outputs are averaged over the steps.

    Reference:
        bai2018empirical

    Example:
        >>> make_tcn(3, 2)(torch.zeros(4, 8, 3)).shape
        torch.Size([4, 2])
    """
    return SmallTCN(features, classes)


def make_transformer(features: int, classes: int) -> nn.Module:
    """Build a transformer encoder of one layer.

    Args:
        features: Features of a step.
        classes: Number of outputs.

    Returns:
        A network whose outputs are averaged over the steps.

    Reference:
        vaswani2017attention

    Example:
        >>> make_transformer(3, 2)(torch.zeros(4, 8, 3)).shape
        torch.Size([4, 2])
    """
    return SmallTransformer(features, classes)


def make_perceptron(features: int, classes: int) -> nn.Module:
    """Build a perceptron with one hidden layer for rows of a table.

    Args:
        features: Number of features.
        classes: Number of outputs.

    Returns:
        The network.

    Example:
        >>> make_perceptron(3, 2)(torch.zeros(4, 3)).shape
        torch.Size([4, 2])
    """
    return nn.Sequential(nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, classes))


class SmallTCN(nn.Module):
    """Two dilated convolutions with batch normalisation, and the mean over the steps."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(features, WIDTH, 3, padding=1),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, 3, padding=4, dilation=4),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(),
        )
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, x: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch classes"]:
        """Classify series."""
        logits: Tensor = self.head(self.layers(x.transpose(1, 2)).mean(2))
        return logits


class SmallTransformer(nn.Module):
    """An embedding with learned positions, one encoder layer, and the mean over the steps."""

    def __init__(self, features: int, classes: int, longest: int = 200) -> None:
        super().__init__()
        self.embedding = nn.Linear(features, WIDTH)
        self.position = nn.Parameter(0.1 * torch.randn(longest, WIDTH))
        self.encoder = nn.TransformerEncoderLayer(WIDTH, 2, 2 * WIDTH, dropout=0.0, batch_first=True)
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, x: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch classes"]:
        """Classify series."""
        steps = self.embedding(x) + self.position[: x.shape[1]]
        logits: Tensor = self.head(self.encoder(steps).mean(1))
        return logits
