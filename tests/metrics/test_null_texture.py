"""Error rates of the null with the texture of the map, on planted evidence in series, texts and images."""

import pytest
import torch
from scipy.stats import kstest
from torch import nn

from perdure.core.attribution import Attribution
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.target import Logit
from perdure.metrics._evaluate import evaluate
from perdure.ops.permutation import permutation_p
from perdure.ops.sequence import length_mask
from tests.cases import stream as fixed_stream

SAMPLES = 32
"""Default number of samples of an audit's faithfulness."""

METRICS = ("insertion:points=16", "deletion:points=16", "sensitivity_n:masks=24,points=2")
WIDTHS = {"series": 2.0, "text": 1.0, "image": 1.0}
"""Standard deviation in positions of the blur that makes random maps smooth."""


class Evidence(nn.Module):
    """Two logits, minus and plus the sum of the bounded valid inputs."""

    def forward(self, x, lengths=None):
        if lengths is not None:
            x = x * length_mask(lengths, x.shape[1])[..., None]
        total = torch.tanh(x).flatten(1).sum(1) * 6 / x[0].numel() ** 0.5
        return torch.stack([-total, total], 1)


def plant_evidence(kind):
    """Noise with a bright block at a random place of each sample."""
    draw = stream(0, kind)
    if kind == "image":
        x = 0.3 * torch.randn(SAMPLES, 3, 16, 16, generator=draw)
        for sample, (row, column) in zip(x, torch.randint(0, 12, (SAMPLES, 2), generator=draw).tolist(), strict=True):
            sample[:, row : row + 5, column : column + 5] += 1
        return x, None
    steps, features = (40, 4) if kind == "series" else (20, 8)
    x = 0.3 * torch.randn(SAMPLES, steps, features, generator=draw)
    lengths = torch.randint(steps // 2, steps + 1, (SAMPLES,), generator=draw)
    for sample, length in zip(x, lengths.tolist(), strict=True):
        start = int(torch.randint(0, length - steps // 8 + 1, (), generator=draw))
        sample[start : start + steps // 8] += 1
    return x, length_mask(lengths, steps)


def smooth(shape, width, draw):
    """Cut a window from blurred noise, so that its law is the same everywhere and its ends differ."""
    pad = int(4 * width)
    values = torch.randn(shape[0], *(size + 2 * pad for size in shape[1:]), generator=draw)
    for axis in range(1, len(shape)):
        place = torch.arange(values.shape[axis])
        weight = torch.exp(-(((place - place[:, None]) / width) ** 2) / 2)
        values = torch.tensordot(values, weight, dims=([axis], [1])).movedim(-1, axis).narrow(axis, pad, shape[axis])
    return values / values.std()


def p_values(kind, metric, repeats, half_right, null=None, seed=0):
    """Evaluate maps of many audits in one batch, and test each audit alone."""
    x, mask = plant_evidence(kind)
    x = x.repeat(repeats, *[1] * (x.ndim - 1))
    mask = None if mask is None else mask.repeat(repeats, 1)
    draw = fixed_stream(seed)
    axis = 1 if kind == "image" else 2
    contribution = torch.tanh(x).sum(axis)
    values = smooth(contribution.shape, WIDTHS[kind], draw) * contribution.std()
    if half_right:
        values = torch.where(torch.rand(values.shape, generator=draw) < 0.5, contribution, values)
    values = values.unsqueeze(axis).expand(x.shape)
    values = values if mask is None else values * mask[..., None]
    query = Query(Evidence(), x, Logit(torch.ones(len(x), dtype=torch.long)), mask)
    suffix = "" if kind == "series" else ",granularity=position"
    score = evaluate(Attribution(values, source=query), metric + suffix, draws=1, null=null, generator=draw)
    sign = -1 if metric.startswith("deletion") else 1
    parts = zip((sign * score.values).split(SAMPLES), (sign * score.nulls).split(SAMPLES, 1), strict=True)
    return torch.tensor([permutation_p(own, nulls, fixed_stream(1)) for own, nulls in parts])


@pytest.mark.parametrize("kind", ["series", "text", "image"])
def test_a_smooth_random_map_has_a_uniform_p_and_a_half_right_one_is_better(kind):
    assert kstest(p_values(kind, METRICS[0], 60, half_right=False), "uniform").pvalue > 0.01
    assert (p_values(kind, METRICS[0], 10, half_right=True) <= 0.025).double().mean() >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["series", "text", "image"])
def test_200_draws_have_a_uniform_p_and_power(kind, metric):
    wrong, right = (p_values(kind, metric, repeats, half_right) for repeats, half_right in ((200, False), (50, True)))
    assert kstest(wrong, "uniform").pvalue > 0.01
    assert (right <= 0.025).double().mean() >= 0.8


@pytest.mark.slow
def test_a_permutation_is_no_null_of_a_smooth_map():
    assert (p_values("series", "deletion:points=16", 60, half_right=False, null="permutation") <= 0.05).sum() > 20
