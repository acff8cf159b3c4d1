"""Layers are read and replaced: resuming from the output of a layer is the model itself."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from perdure.attribution._attribute import attribute
from perdure.attribution._layer import BEFORE, FromLayer, UpToLayer, default_layer, find_layer, query_layer
from perdure.core.batch import Batch
from perdure.core.errors import UnknownNameError, UnsupportedError
from perdure.core.method import NeedsFit
from perdure.core.query import Query
from perdure.core.registry import METHODS
from tests.cases import convolutional, fill, make_rectified, recurrent, stream

LENGTHS = torch.tensor([7, 2, 5])


class ReadsFinalState(nn.Module):
    """A recurrence whose final state is read, with packed sequences or without."""

    def __init__(self, kind, packed=False, batch_first=True, **settings):
        super().__init__()
        self.rnn = kind(4, 3, batch_first=batch_first, **settings)
        self.head, self.packed, self.batch_first = nn.Linear(3, 2), packed, batch_first

    def forward(self, x, lengths=None):
        x = x if self.batch_first else x.transpose(0, 1)
        if self.packed:
            x = pack_padded_sequence(x, lengths, batch_first=self.batch_first, enforce_sorted=False)
        state = self.rnn(x)[1]
        return self.head((state[0] if isinstance(state, tuple) else state).sum(0))


def series():
    return torch.randn(3, 7, 4, generator=stream())


MODELS = {
    "conv": (convolutional, "2", torch.randn(3, 2, 6, 5, generator=stream()), None),
    "recurrent": (recurrent, "recurrence", series(), None),
    "padded": (lambda: recurrent(pooling="mean"), "recurrence", series(), LENGTHS),
    "lstm": (lambda: fill(ReadsFinalState(nn.LSTM)), "rnn", series(), None),
    "gru_both_ways": (lambda: fill(ReadsFinalState(nn.GRU, bidirectional=True, num_layers=1)), "rnn", series(), None),
    "packed": (lambda: fill(ReadsFinalState(nn.LSTM, packed=True)), "rnn", series(), LENGTHS),
    "packed_both_ways": (
        lambda: fill(ReadsFinalState(nn.LSTM, packed=True, bidirectional=True)),
        "rnn",
        series(),
        LENGTHS,
    ),
    "time_first": (lambda: fill(ReadsFinalState(nn.RNN, batch_first=False)), "rnn", series(), None),
}

for_all = pytest.mark.parametrize("name", MODELS)


def target(logits):
    return logits[:, 0]


@for_all
def test_resuming_from_the_layer_is_the_model(name):
    make, layer, x, lengths = MODELS[name]
    model = make()
    arguments = {} if lengths is None else {"lengths": lengths}
    with torch.no_grad():
        z = UpToLayer(model, layer)(x, **arguments)
        assert z.shape[:2] in ((3, 7), (3, 3))
        torch.testing.assert_close(FromLayer(model, layer)(z, **arguments, **{BEFORE: x}), model(x, **arguments))


@for_all
def test_the_gradient_at_the_layer_is_that_of_the_model(name):
    """What is replaced has all of the influence: a shift of all outputs moves the prediction as the slope predicts."""
    make, layer, x, lengths = MODELS[name]
    model = make().double()
    mask = None if lengths is None else torch.arange(7) < lengths[:, None]
    inner = query_layer(Query(model, x.double(), target, mask), layer)
    slope, step = inner.gradient(inner.x), 1e-6 * torch.randn(inner.x.shape, generator=stream(1), dtype=torch.float64)
    change = inner.value(inner.x + step) - inner.value(inner.x - step)
    torch.testing.assert_close(change, 2 * (slope * step).flatten(1).sum(1), rtol=1e-4, atol=1e-12)
    assert slope.abs().sum() > 0


def test_copies_of_a_batch_are_evaluated_at_once():
    inner = query_layer(Query(recurrent(), series(), target), "recurrence")
    points = torch.stack([inner.x, 2 * inner.x])
    torch.testing.assert_close(inner.value(points)[1], inner.value(2 * inner.x))


def test_an_activation_in_place_does_not_change_what_was_read():
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))
    x = torch.randn(5, 2, generator=stream())
    assert (UpToLayer(model, "0")(x) < 0).any()


@for_all
def test_nothing_of_the_model_changes(name):
    make, layer, x, lengths = MODELS[name]
    model = make()
    inner = query_layer(Query(model, x, target, None if lengths is None else torch.arange(7) < lengths[:, None]), layer)
    inner.gradient(inner.x)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(weight.grad is None for weight in model.parameters())


def test_unknown_unused_and_repeated_layers_are_named():
    with pytest.raises(UnknownNameError, match="recurrence"):
        find_layer(recurrent(), "recurrense")
    shared = nn.Linear(2, 2)
    twice = nn.Sequential(shared, nn.Sequential(shared))
    with pytest.raises(UnsupportedError, match="2 times"):
        FromLayer(twice, "0")(torch.zeros(1, 2), **{BEFORE: torch.zeros(1, 2)})
    with pytest.raises(UnsupportedError, match="cannot be found"):
        query_layer(Query(lambda x: x, torch.zeros(1, 2), target), "0")

    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle, self.head = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.head(x)

    with pytest.raises(UnsupportedError, match="does not run"):
        UpToLayer(Idle(), "idle")(torch.zeros(1, 2))


def test_the_default_layer_is_the_published_one():
    vgg = nn.Sequential(*[nn.Conv2d(1, 1, 1) for _ in range(13)])
    assert default_layer(vgg) == "7"
    assert default_layer(recurrent()) == "recurrence"
    with pytest.raises(UnsupportedError):
        default_layer(nn.Sequential(nn.Linear(2, 2)))


@pytest.mark.parametrize("part", ["whole", "in place", "inner"])
@pytest.mark.parametrize("name", ["grad_cam:layer=3", "guided_backprop", "deep_lift", "information_bottleneck:layer=0"])
def test_layers_of_a_compiled_model_are_those_of_the_model(name, part):
    model, x = make_rectified(), torch.randn(3, 2, 6, 5, generator=stream())
    batch = Batch(torch.randn(9, 2, 6, 5, generator=stream(5)), torch.zeros(9, dtype=torch.int64))

    def explain(explained):
        method = METHODS.make(name)
        method = method.fit(explained, batch) if isinstance(method, NeedsFit) else method
        return attribute(explained, x, method, target=torch.tensor([0, 1, 2])).values

    expected = explain(model)
    if part == "in place":
        model.compile(backend="eager")
    elif part == "inner":
        model[0] = torch.compile(model[0], backend="eager")
    compiled = torch.compile(model, backend="eager") if part == "whole" else model
    compiled(x)
    torch.testing.assert_close(explain(compiled), expected)
