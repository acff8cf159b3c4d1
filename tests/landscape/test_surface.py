"""The loss with weights put in is the loss of a model that has them."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from perdure.core.batch import Batch
from perdure.core.errors import NonFiniteError
from perdure.landscape.surface import ModelLoss
from perdure.models.recurrent import Recurrent
from perdure.ops.params import params_of
from perdure.ops.sequence import length_mask

LENGTHS = torch.tensor([5, 1, 4, 2, 5, 3, 3])


def series(generator, masked=True):
    x, label = torch.randn(7, 5, 3, generator=generator), torch.tensor([0, 1, 1, 0, 1, 0, 0])
    return Batch(x, label, mask=length_mask(LENGTHS, 5) if masked else None)


def images(generator):
    return Batch(torch.randn(40, 2, 6, 6, generator=generator), torch.arange(40) % 3)


def make_normalised():
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(64, 3))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("rows", [3, 1000])
def test_equals_a_model_with_these_weights(cell, rows, generator):
    batch = series(generator)
    config = Recurrent(cell=cell, hidden_size=4, layers=2, output_dropout=0.5)
    host, other = (config.build(3, 2, generator) for _ in range(2))
    before = params_of(host)
    surface, params = ModelLoss(host, batch, rows), params_of(other)
    expected = cross_entropy(other.eval()(batch.inputs, lengths=LENGTHS), batch.label, reduction="none")
    torch.testing.assert_close(surface.losses(params), expected)
    slopes = torch.autograd.grad(expected.mean(), list(other.parameters()))
    for result, slope in zip(surface.gradient(params).values(), slopes, strict=True):
        torch.testing.assert_close(result, slope, rtol=1e-4, atol=1e-7)
    assert host.training
    assert all(torch.equal(weight, before[name]) for name, weight in host.named_parameters())
    assert all(weight.grad is None for weight in host.parameters())


def test_some_samples_have_their_own_gradient(generator):
    batch = series(generator, masked=False)
    model = Recurrent(hidden_size=4).build(3, 2, generator)
    subset = torch.tensor([1, 4])
    result = ModelLoss(model, batch).gradient(params_of(model), subset)
    alone = ModelLoss(model, Batch(batch.inputs[subset], batch.label[subset])).gradient(params_of(model))
    assert all(torch.equal(result[name], alone[name]) for name in result)


def test_batch_normalisation_is_estimated_afresh_and_the_model_keeps_its_own(generator):
    torch.random.default_generator.manual_seed(0)
    model, batch = make_normalised(), images(generator)
    before = copy.deepcopy(model.state_dict())
    params = params_of(make_normalised())
    result = ModelLoss(model, batch).losses(params)

    fitted = make_normalised()
    fitted.load_state_dict(params, strict=False)
    fitted[1].momentum = 1.0  # the statistics of the last call alone
    with torch.no_grad():
        fitted(batch.inputs)
    expected = cross_entropy(fitted.eval()(batch.inputs), batch.label, reduction="none")
    torch.testing.assert_close(result, expected)
    ModelLoss(model, batch).gradient(params)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model[1].training
    assert model[1].momentum == 0.1


def test_the_scale_in_front_of_batch_normalisation_does_not_matter(generator):
    """With statistics that are not estimated afresh a point halfway would be scaled wrongly."""
    model, batch = make_normalised(), images(generator)
    params = params_of(model)
    scaled = {**params, "0.weight": 7 * params["0.weight"], "0.bias": 7 * params["0.bias"]}
    surface = ModelLoss(model, batch)
    torch.testing.assert_close(
        surface.losses(scaled), surface.losses(params), rtol=1e-3, atol=1e-4
    )  # eps is not scaled


def test_weights_that_are_not_finite(generator):
    model = Recurrent(hidden_size=4).build(3, 2, generator)
    params = params_of(model)
    params["head.bias"][0] = torch.nan
    with pytest.raises(NonFiniteError, match="gradient"):
        ModelLoss(model, series(generator)).gradient(params)
