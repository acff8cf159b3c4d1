import pytest
import torch
from torch import nn

from perdure.nn.stacked import run_stacked_lstms


def lstms(count, dtype):
    generator = torch.Generator().manual_seed(0)
    made = [nn.LSTM(3, 4, batch_first=True, dtype=dtype) for _ in range(count)]
    with torch.no_grad():
        for weight in nn.ModuleList(made).parameters():
            weight.uniform_(-0.5, 0.5, generator=generator)
    return made


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_lstm_gives_what_it_gives_alone(count, dtype, tolerance):
    """Outputs, and gradients of weights and inputs for a random direction."""
    generator = torch.Generator().manual_seed(1)
    made = lstms(count, dtype)
    inputs = [torch.randn(6, 9, 3, generator=generator, dtype=dtype, requires_grad=True) for _ in made]
    directions = [torch.randn(6, 9, 4, generator=generator, dtype=dtype) / 50 for _ in made]
    read = [*inputs, *nn.ModuleList(made).parameters()]
    alone, together = [lstm(x)[0] for lstm, x in zip(made, inputs, strict=True)], run_stacked_lstms(made, inputs)
    for ours, theirs in zip(together, alone, strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=tolerance)
    for ours, theirs in zip(
        torch.autograd.grad(together, read, directions), torch.autograd.grad(alone, read, directions), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=0, atol=tolerance)


def test_every_lstm_needs_its_input():
    with pytest.raises(ValueError, match="zip"):
        run_stacked_lstms(lstms(3, torch.float32), [torch.zeros(1, 2, 3)] * 2)
