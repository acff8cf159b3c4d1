"""The target along the way: equal inputs cost one pass, and the layout in memory is chosen by running the model."""

import dataclasses

import pytest
import torch
from torch import nn

from perdure.core.attribution import Attribution
from perdure.core.query import Query
from perdure.core.target import Logit
from perdure.metrics._along import layout_of
from perdure.metrics.deletion import Deletion
from perdure.metrics.insertion import Insertion
from tests.cases import convolutional, fill, stream
from tests.metrics.perturbed import linear_trial, series_trial

LABEL = torch.tensor([1, 0, 2])
IMAGES = torch.randn(3, 2, 6, 5, generator=stream(6), dtype=torch.float64)


class Views(nn.Module):
    """Reads its activations as rows of numbers, which must lie channel by channel."""

    def __init__(self):
        super().__init__()
        self.convolution, self.head = nn.Conv2d(2, 3, 1), nn.Linear(90, 3)

    def forward(self, x):
        return self.head(self.convolution(x).view(len(x), -1))


class ReadsMemory(Views):
    """Takes the first numbers in memory, in whatever order they lie."""

    def forward(self, x):
        return x.as_strided((len(x), 3), (x[0].numel(), 1)) + self.convolution(x).mean((1, 2, 3))[:, None]


def trial_of(model, x=IMAGES):
    values = torch.randn(x.shape, generator=stream(7), dtype=x.dtype)
    return Attribution(values, source=Query(fill(model).double(), x, Logit(LABEL[: len(x)])))


@pytest.mark.parametrize("model", [Views(), ReadsMemory(), nn.Sequential(nn.Flatten(), nn.Linear(60, 3))])
def test_a_model_that_does_not_take_or_need_another_layout_is_left_alone(model):
    attribution = trial_of(model)
    assert layout_of(attribution.query) == torch.contiguous_format
    result = Deletion(step=1, score="target").measure(attribution)
    plain = attribution.query.value(torch.zeros_like(IMAGES))
    torch.testing.assert_close(result.aux["last"], plain)


def test_convolutions_get_the_channels_of_a_pixel_together():
    shapes = []

    class Looks(nn.Module):
        def forward(self, x):
            shapes.append(x.is_contiguous(memory_format=torch.channels_last))
            return x

    attribution = trial_of(nn.Sequential(Looks(), *convolutional()))
    assert layout_of(attribution.query) == torch.channels_last
    shapes.clear()
    Insertion(step=1).measure(attribution)
    assert shapes.count(False) == 1  # the pass that shows whether it gives the same


@pytest.mark.parametrize("metric", [Insertion, Deletion])
def test_sites_that_are_at_the_baseline_already_cost_nothing(metric):
    attribution, contributions = linear_trial(batch=2, sites=12)
    x = attribution.query.x.clone()
    x[0, 3:], x[1, 1:] = 0.0, 0.0
    sparse = Attribution(contributions, source=dataclasses.replace(attribution.query, x=x))
    before = attribution.query.passes.forward
    result = metric(step=1).measure(sparse)
    assert attribution.query.passes.forward - before == (3 + 1) + (1 + 1)
    order = contributions.argsort(1, descending=True)
    for i in range(2):
        current, end = (x[i].clone(), torch.zeros(12)) if metric is Deletion else (torch.zeros(12).double(), x[i])
        scores = [(current * attribution.query.model.weight).sum()]
        for site in order[i]:
            current[site] = end[site]
            scores.append((current * attribution.query.model.weight).sum())
        torch.testing.assert_close(result.values[i], torch.trapezoid(torch.stack(scores)) / 12)


def test_short_samples_do_not_wait_for_long_ones():
    attribution = series_trial()
    Deletion(step=1, granularity="position").measure(attribution)
    assert attribution.query.passes.forward == sum(length + 1 for length in attribution.query.lengths.tolist())
