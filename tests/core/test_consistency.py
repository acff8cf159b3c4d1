"""Models whose outputs for a sample change with more than that sample."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from perdure.attribution._attribute import attribute
from perdure.core.consistency import find_inconsistency
from perdure.core.errors import InconsistentOutputWarning, ShapeError, UnsupportedError
from tests.cases import convolutional, perceptron, recurrent, stream

X = torch.randn(5, 6, 4, generator=stream())


class Keeps(nn.Module):
    """A recurrence that continues from the state of the last call, where that had as many samples."""

    def __init__(self, resets=True):
        super().__init__()
        self.recurrence, self.resets, self.state = nn.GRU(4, 3, batch_first=True), resets, None

    def forward(self, x):
        if self.resets and self.state is not None and self.state.shape[1] != len(x):
            self.state = None
        outputs, state = self.recurrence(x, self.state)
        self.state = state.detach()
        return outputs[:, -1]


class Drops(nn.Module):
    def forward(self, x):
        return functional.dropout(x.flatten(1), 0.5) @ torch.ones(24, 3)


class Mixes(nn.Module):
    """A recurrence over the samples instead of the steps."""

    def __init__(self, last=False):
        super().__init__()
        self.recurrence, self.last = nn.GRU(4, 3), last

    def forward(self, x):
        outputs = self.recurrence(x)[0]
        return outputs[-1] if self.last else outputs.mean(1)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
@pytest.mark.parametrize("samples", [1, 2, 5])
@pytest.mark.parametrize("model", [Keeps, Drops])
def test_a_state_or_a_draw_is_warned_of_in_every_call(model, samples, batch_size):
    model = model()
    torch.manual_seed(0)
    state = torch.get_rng_state()
    for _ in range(2):
        with pytest.warns(InconsistentOutputWarning, match="from call to call"):
            attribute(model, X[:samples], "gradient", target=1, batch_size=batch_size)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_samples_that_mix_are_warned_of(samples):
    with pytest.warns(InconsistentOutputWarning, match="mixes the samples"):
        attribute(Mixes(), X[:samples], "gradient", target=1)


@pytest.mark.parametrize(("samples", "steps"), [(1, 6), (5, 6), (5, 5), (2, 2), (1, 2), (3, 3)])
@pytest.mark.parametrize("target", [0, "predicted"])
def test_time_first_is_refused_whatever_the_sizes(samples, steps, target):
    with pytest.raises(ShapeError, match="batch_first=True"):
        attribute(Mixes(last=True), X[:samples, :steps], "gradient", target=target)


@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("target", [0, 2, "predicted"])
def test_an_axis_of_samples_that_is_lost_is_refused(samples, target):
    model = nn.Sequential(nn.Flatten(), nn.Linear(24, 3))
    with pytest.raises(ShapeError, match=r"squeeze\(-1\)"):
        attribute(lambda x: model(x).squeeze(), X[:samples], "gradient", target=target)


def test_one_number_for_one_sample_is_its_only_output():
    weight = torch.randn(24, generator=stream())
    for samples in (1, 5):
        values = attribute(
            lambda x: (x.flatten(1) @ weight).squeeze(), X[:samples], "gradient", target=lambda outputs: outputs[:, 0]
        ).values
        assert torch.equal(values.flatten(1), weight.expand(samples, -1))


def test_a_state_of_a_fixed_size_is_refused_by_name():
    with pytest.raises(UnsupportedError, match=r"not two in one call.*fresh state.*batch_size=1"):
        attribute(Keeps(resets=False), X, "gradient", target=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_ordinary_networks_are_consistent_in_every_precision(dtype):
    models = (recurrent(), X), (convolutional(), torch.randn(3, 2, 6, 5)), (perceptron(), X[:, 0, [0, 1, 2, 3, 0]])
    for model, x in models:
        assert find_inconsistency(model.to(dtype).eval(), 30 * x.to(dtype), None, {}, 9) is None


def test_a_model_is_checked_once_for_a_shape():
    calls = []

    def model(x):
        calls.append(len(x))
        return x.flatten(1)

    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            attribute(model, X, "gradient", target=1)
    assert calls == [1, 1, 1, 2, 5, *[5] * 2]  # the first look shares the pass of the work
