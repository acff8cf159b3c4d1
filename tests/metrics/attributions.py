"""Trials whose answers are known."""

import torch
from torch import nn

from perdure.core.attribution import Attribution
from perdure.core.query import Query


def linear(x, lengths=None):
    """One logit, the sum of the valid inputs; its attribution is x itself."""
    if lengths is not None:
        x = x * (torch.arange(x.shape[1]) < lengths[:, None])[..., None]
    return x.flatten(1).sum(1, keepdim=True)


class Weighted(nn.Module):
    """Two logits, a sum and a sum of squares of the weighted valid inputs, of any dtype."""

    def __init__(self, features):
        super().__init__()
        draw = torch.Generator().manual_seed(7)
        self.weight = nn.Parameter(torch.randn(features, generator=draw, dtype=torch.float64))
        self.bend = nn.Parameter(torch.randn(features, generator=draw, dtype=torch.float64))

    def forward(self, x, lengths=None):
        if lengths is not None:
            x = x * (torch.arange(x.shape[1]) < lengths[:, None])[..., None]
        flat, bent = (x * self.weight.to(x)).flatten(1).sum(1), (x * self.bend.to(x)).square().flatten(1).sum(1)
        return torch.stack([flat + bent, flat - bent], 1)


def trial_of(values, truth=None, mask=None, x=None):
    query = Query(linear, torch.zeros_like(values) if x is None else x, lambda logits: logits[:, 0], mask)
    return Attribution(values, source=query, truth=truth)


def series(seed, levels=None, batch=4, steps=9, features=3):
    """Random maps with a random truth and mask; few levels make ties."""
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(batch, steps, features, generator=draw, dtype=torch.float64)
    if levels:
        values = (values * levels).round() / levels
    truth = torch.rand(values.shape, generator=draw) < 0.3
    truth[:, 0, 0], truth[:, 0, 1] = True, False
    lengths = torch.randint(2, steps + 1, (batch,), generator=draw)
    return values, truth, torch.arange(steps) < lengths[:, None]


def box(batch=8):
    """A hundred steps by a hundred features with a box in steps 0-30 and features 10-90."""
    truth = torch.zeros(batch, 100, 100, dtype=torch.bool)
    truth[:, :30, 10:90] = True
    return truth


def patch(batch=8):
    """Images of three channels, 32 by 32, with a square of 10 by 10 pixels in all channels."""
    truth = torch.zeros(batch, 3, 32, 32, dtype=torch.bool)
    truth[..., 5:15, 12:22] = True
    return truth


def known_maps(truth):
    """Maps whose scores are known."""
    draw = torch.Generator().manual_seed(0)
    return {
        "perfect": truth.float(),
        "inverted": 1 - truth.float(),
        "constant": torch.full(truth.shape, 3.0),
        "zero": torch.zeros(truth.shape),
        "random": torch.rand(truth.shape, generator=draw),
    }


def by_loop(reference, values, truth, mask, absolute=True):
    """Run a reference on the valid sites of each sample."""
    rows = []
    for v, b, m in zip(values, truth, mask, strict=True):
        v = v[m].flatten().tolist()
        rows.append(reference([abs(item) for item in v] if absolute else v, b[m].flatten().int().tolist()))
    return rows
