"""Models and attributions for the metrics that perturb."""

import torch
from torch import nn

from perdure.core.attribution import Attribution
from perdure.core.query import Query
from perdure.core.target import Logit, Probability
from perdure.ops.sequence import length_mask, site_mask
from tests.cases import convolutional, recurrent

DRAW = torch.Generator().manual_seed(3)
LENGTHS = torch.tensor([7, 3, 1, 5])
MASK = length_mask(LENGTHS, 7)
SERIES = torch.randn(4, 7, 4, generator=DRAW, dtype=torch.float64)
IMAGES = torch.randn(3, 2, 6, 5, generator=DRAW, dtype=torch.float64)
LABEL = torch.tensor([1, 0, 2, 1])


def coarse(x):
    """A map with ties."""
    return (torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=x.dtype) * 2).round()


def series_trial(rows=slice(None), extra=0, seeds=None):
    """A recurrent model, ragged series, padding that holds anything."""
    padding = torch.full((4, extra, 4), 9.0, dtype=SERIES.dtype)
    x = torch.cat([SERIES, padding], 1)[rows]
    values = torch.cat([coarse(SERIES), 100 * padding], 1)[rows]
    mask = length_mask(LENGTHS, 7 + extra)[rows]
    given = {} if seeds is None else {"seeds": seeds[rows]}
    return Attribution(values, source=Query(recurrent().double(), x, Logit(LABEL[rows]), mask, **given))


def image_trial(rows=slice(None)):
    return Attribution(
        coarse(IMAGES)[rows], source=Query(convolutional().double(), IMAGES[rows], Logit(LABEL[:3][rows]))
    )


def function_of(attribution, i, probability=True):
    """The target of one sample, as a function of its valid inputs without a batch axis."""
    query = attribution.query
    target = (Probability if probability else Logit)(query.target.label[i : i + 1])
    entry = Query(query.model, query.x[i : i + 1], target)
    return lambda x: entry.value(x[None]).item()


def valid_part(attribution, x, i):
    """One sample without its padding."""
    return x[i] if attribution.query.mask is None else x[i][attribution.query.mask[i]]


class Weighted(nn.Module):
    """One output, the weighted sum of the valid sites."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, x, lengths=None):
        valid = site_mask(None if lengths is None else length_mask(lengths, x.shape[1]), x)
        return (x * valid * self.weight.to(x)).flatten(1).sum(1, keepdim=True)


def linear_trial(values=None, seed=0, batch=3, sites=11):
    """A linear model whose contributions are known; the map is these contributions when not given."""
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(sites, generator=draw, dtype=torch.float64)
    x = torch.randn(batch, sites, generator=draw, dtype=torch.float64)
    query = Query(Weighted(weight), x, lambda outputs: outputs[:, 0])
    contributions = x * weight
    return Attribution(contributions if values is None else values(contributions), source=query), contributions
