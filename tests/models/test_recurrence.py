import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from perdure.models._recurrence import Bidirectional
from perdure.ops.sequence import last_valid, length_mask

LENGTHS = torch.tensor([7, 5, 1, 7])


def twins(kind: type[nn.RNN | nn.GRU | nn.LSTM], layers: int) -> tuple[Bidirectional, nn.RNNBase]:
    """Ours, and torch's bidirectional module with the same weights."""
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        theirs = kind(3, 4, num_layers=layers, batch_first=True, bidirectional=True)
    ours = Bidirectional(kind, 3, 4, layers)
    for layer in range(layers):
        for directions, suffix in ((ours.ahead, ""), (ours.back, "_reverse")):
            for name, weight in directions[layer].named_parameters():
                weight.data = getattr(theirs, f"{name[:-1]}{layer}{suffix}").data
    return ours, theirs


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_outputs_are_those_of_torch(kind, layers, generator):
    ours, theirs = twins(kind, layers)
    x, mask = torch.randn(4, 7, 3, generator=generator), length_mask(LENGTHS, 7)
    assert torch.allclose(ours(x), theirs(x)[0], atol=1e-6)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    expected = pad_packed_sequence(theirs(packed)[0], batch_first=True, total_length=7)[0]
    assert torch.allclose(ours(x, mask)[mask], expected[mask], atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_last_output_is_that_of_all_outputs(layers, generator):
    ours, _ = twins(nn.LSTM, layers)
    x = torch.randn(4, 7, 3, generator=generator)
    for mask in (None, length_mask(LENGTHS, 7)):
        assert torch.allclose(ours.last(x, mask), last_valid(ours(x, mask), mask), atol=1e-6)


def test_the_backward_half_of_the_last_output_has_read_one_step(generator):
    ours, _ = twins(nn.LSTM, 1)
    x = torch.randn(4, 7, 3, generator=generator)
    assert torch.allclose(ours.last(x)[:, 4:], ours.last(x[:, -1:])[:, 4:], atol=1e-6)
