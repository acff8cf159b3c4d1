import pytest
import torch
from torch import nn

from perdure.nn._lstm import lstm_outputs


def draw(steps, hidden=3, batch=4):
    generator = torch.Generator().manual_seed(steps)
    projected = torch.randn(steps, 4, hidden, batch, generator=generator, dtype=torch.float64)
    weight = torch.randn(4 * hidden, hidden, generator=generator, dtype=torch.float64)
    return projected.requires_grad_(), weight.requires_grad_()


def of_torch(projected, weight):
    """The outputs of `nn.LSTM` that reads its gates through an identity."""
    steps, gates, hidden, batch = projected.shape
    weights = {"weight_ih_l0": torch.eye(gates * hidden, dtype=projected.dtype), "weight_hh_l0": weight}
    lstm = nn.LSTM(gates * hidden, hidden, bias=False, dtype=projected.dtype)
    series = projected.permute(0, 3, 1, 2).reshape(steps, batch, -1)
    return torch.func.functional_call(lstm, weights, series)[0].mT


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_outputs_and_gradients_are_those_of_torch(steps):
    inputs = draw(steps)
    ours, theirs = lstm_outputs(*inputs), of_torch(*inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    pull = torch.randn(ours.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    for values, expected in zip(
        torch.autograd.grad(ours, inputs, pull), torch.autograd.grad(theirs, inputs, pull), strict=True
    ):
        torch.testing.assert_close(values, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("steps", [1, 5])
def test_the_adjoint_is_exact(steps):
    assert torch.autograd.gradcheck(lstm_outputs, draw(steps))


def test_inputs_of_any_layout_stay_as_they_are():
    projected, weight = (value.detach() for value in draw(6))
    turned = projected.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    before = turned.clone()
    assert torch.equal(lstm_outputs(turned, weight), lstm_outputs(projected, weight))
    assert torch.equal(turned, before)
