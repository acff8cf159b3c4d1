"""Models whose explanations are known, and small ones whose are not."""

import torch
from torch import nn

from perdure.models.recurrent import Recurrent
from perdure.ops.sequence import last_valid, length_mask


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def fill(model, seed=0):
    """Give a module weights from a seed and put it in evaluation mode."""
    draw = stream(seed)
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.4, generator=draw)
    return model.eval()


class Linear(nn.Module):
    """Two logits, each a weighted sum of all sites; every complete method must give weight times input."""

    def __init__(self, *sites):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, *sites, generator=stream(1), dtype=torch.float64))

    def forward(self, x):
        return (x[:, None] * self.weight.to(x)).flatten(2).sum(2)


class Quadratic(nn.Module):
    """One logit b x + x A x / 2 with symmetric A; from zero, integrated gradients are x (b + A x / 2)."""

    def __init__(self, features):
        super().__init__()
        a = torch.randn(features, features, generator=stream(2), dtype=torch.float64)
        self.a, self.b = a + a.T, torch.randn(features, generator=stream(3), dtype=torch.float64)

    def forward(self, x):
        return (x @ self.b + ((x @ self.a) * x).sum(1) / 2)[:, None]


class CopiesStep(nn.Module):
    """A recurrence that keeps the sum of step k until the end: two logits, that sum and its negative."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, x, lengths=None):
        kept = torch.zeros(len(x), dtype=x.dtype)
        for t in range(x.shape[1]):
            kept = kept + (t == self.step) * x[:, t].sum(1)
        return torch.stack([kept, -kept], 1)


class Constant(nn.Module):
    """Two logits that do not depend on x, with or without a gradient of zeros."""

    def __init__(self, detached):
        super().__init__()
        self.detached = detached

    def forward(self, x):
        zero = x.detach() if self.detached else x
        return 0 * zero.flatten(1).sum(1, keepdim=True) + torch.tensor([1.0, -3.0], dtype=x.dtype)


class Opaque(nn.Module):
    """A recurrent classifier that cannot resume from a state and has no attention, with dropout."""

    def __init__(self, cell="LSTM", features=4, hidden=6):
        super().__init__()
        self.recurrence = getattr(nn, cell)(features, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(hidden, 3)

    def forward(self, x, lengths=None):
        mask = None if lengths is None else length_mask(lengths, x.shape[1])
        return self.head(self.dropout(last_valid(self.recurrence(x)[0], mask)))


def perceptron(features=5):
    return fill(nn.Sequential(nn.Linear(features, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)))


def convolutional():
    """A network for images (batch, 2, 6, 5), batch normalisation and dropout included."""
    layers = (nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(36, 3))
    return fill(nn.Sequential(*layers))


def make_rectified():
    """A network for images (batch, 2, 6, 5), with rectifiers and pooling as modules."""
    layers = (nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2), nn.ReLU(), nn.Flatten())
    return fill(nn.Sequential(*layers, nn.Linear(6, 3)))


def recurrent(features=4, seed=0, **settings):
    """A recurrent classifier of the library, large enough weights to be far from linear."""
    model = Recurrent(**{"hidden_size": 6, "output_dropout": 0.3, **settings}).build(features, 3, stream(seed))
    return fill(model, seed)


class Transformer(nn.Module):
    """A classifier of series with two layers of self-attention, the mean over steps and a linear head."""

    def __init__(self, features=4, layers=2, nested=False):
        super().__init__()
        layer = nn.TransformerEncoderLayer(features, 2, 8, dropout=0.5, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=nested)
        self.head = nn.Linear(features, 3)

    def forward(self, x, lengths=None):
        mask = torch.ones(x.shape[:2], dtype=torch.bool) if lengths is None else length_mask(lengths, x.shape[1])
        states = self.encoder(x, src_key_padding_mask=None if lengths is None else ~mask)
        return self.head(states.masked_fill(~mask[..., None], 0.0).sum(1) / mask.sum(1, keepdim=True))
