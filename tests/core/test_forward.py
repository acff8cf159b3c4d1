"""Calls of a model, and what goes wrong in them by name."""

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute, attribute_cached
from perdure.core.errors import MemoryLimitError, UnsupportedError
from perdure.core.forward import call_model, forward_with_graph
from perdure.core.query import Query, slice_query
from perdure.core.target import Logit
from tests.cases import Opaque, perceptron, stream


class Categories(nn.Module):
    """Reads a number and a category, which it looks up."""

    def __init__(self, look_up):
        super().__init__()
        self.table, self.head = nn.Embedding(5, 3), nn.Linear(4, 2)
        self.look_up = look_up

    def forward(self, x):
        return self.head(torch.cat([x[..., :1], self.look_up(self.table, x[..., 1].long())], 2).mean(1))


LOOK_UPS = {
    "embedding": lambda table, numbers: table(numbers),
    "index": lambda table, numbers: table.weight[numbers],
    "one-hot": lambda table, numbers: nn.functional.one_hot(numbers, 5).float() @ table.weight,
}


@pytest.mark.parametrize("method", ["smooth_grad:noise=2.0", "gradient_shap:noise=9.0"])
@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_categories_that_noise_moves_out_of_their_table_are_named(method, look_up):
    numbers = torch.randint(0, 5, (4, 6, 1), generator=stream()).float()
    x = torch.cat([torch.randn(4, 6, 1, generator=stream()), numbers], 2)
    model = Categories(LOOK_UPS[look_up])
    with pytest.raises(
        UnsupportedError, match=r"places in a table, and one lies outside.*perdure.Adapted\(model, given"
    ):
        attribute(model, x, method, target=1)


def test_the_data_and_side_inputs_are_not_written_to():
    def forward(x, side):
        side += 1
        return (x.mul_(2) * side).sum(1, keepdim=True)

    x, side = torch.ones(2, 3), torch.ones(2, 1)
    assert call_model(forward, x, side={"side": side}).tolist() == [[12.0], [12.0]]
    assert (x.unique().tolist(), side.unique().tolist()) == ([1.0], [1.0])


X = torch.randn(3, 5, generator=stream())
SERIES = torch.randn(3, 7, 4, generator=stream())
LENGTHS = torch.tensor([7, 3, 1])
LABEL = torch.tensor([0, 1, 0])


def count_calls(model):
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("method", ["gradient", "saliency", "input_x_gradient"])
def test_a_kept_first_pass_gives_the_same_bits_and_is_not_made_again(method, lengths):
    model = Opaque().eval()
    afresh = attribute(model, SERIES, method, target=LABEL, lengths=lengths)
    calls = count_calls(model)
    cached = forward_with_graph(model, SERIES, lengths)
    kept = attribute_cached(cached, model, method, target=LABEL, lengths=lengths)
    assert len(calls) == 1
    assert torch.equal(kept.values, afresh.values)
    assert kept.provenance == afresh.provenance
    torch.testing.assert_close(cached.outputs, model(SERIES) if lengths is None else model(SERIES, lengths=lengths))


def test_inputs_and_mode_are_left_alone():
    model, x = perceptron().train(), X.clone()
    cached = forward_with_graph(model, x)
    assert torch.equal(x, X)
    assert not x.requires_grad
    assert model.training
    assert cached.outputs.requires_grad


def test_only_a_part_about_all_keeps_the_first_pass():
    model = perceptron()
    query = Query(model, X, Logit(LABEL), cached=forward_with_graph(model, X))
    assert slice_query(query, slice(0, 9)).cached is query.cached
    item = slice_query(query, slice(1, 3))
    assert item.cached is None
    torch.testing.assert_close(item.gradient(item.x), query.gradient(X)[1:3])


class TakesMemory(nn.Module):
    def forward(self, x):
        return x.mean(1) + torch.empty(2**58)[:3]


@pytest.mark.parametrize("method", ["gradient", "occlusion", "integrated_gradients"])
def test_a_model_without_memory_is_named(method):
    with pytest.raises(MemoryLimitError, match=r"there is not enough memory: .*memory.*batch_size"):
        attribute(TakesMemory(), torch.zeros(2, 6, 3), method, target=0)
