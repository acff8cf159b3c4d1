"""Factories as users write them, good and bad, for the tests of models and of the command line."""

GOOD = """
import torch
from torch import nn

import perdure


class Gru(nn.Module):
    def __init__(self, features, classes, width=4):
        super().__init__()
        self.gru = nn.GRU(features, width, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return {"logits": self.head(self.gru(x)[0][:, -1]), "input": x}


def make(features, classes):
    return Gru(features, classes)


def plain():
    return Gru(3, 2)


def seeded(seed, generator, *rest, **more):
    model = Gru(3, 2)
    model.seed, model.draw = seed, torch.rand(1, generator=generator).item()
    return model


def convolution(features, classes):
    layers = nn.Conv1d(features, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, classes)
    return nn.Sequential(*layers)


def turned(features, classes):
    return perdure.Adapted(convolution(features, classes), layout="channels_first")


instance = nn.Linear(2, 2)
number = 3


def raises():
    raise ValueError("no   width\\ngiven")


def leaves():
    raise SystemExit("bye")


def needs_width(width):
    return Gru(3, 2, width)


def nothing():
    return {"model": 1}
"""
