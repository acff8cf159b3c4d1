import pytest
import torch

from perdure.attribution._attribute import attribute, attribute_cached
from perdure.core.cached_forward import forward_with_graph
from perdure.core.query import Query, part
from perdure.core.target import Logit
from tests.cases import Opaque, perceptron, stream

X = torch.randn(3, 5, generator=stream())
SERIES = torch.randn(3, 7, 4, generator=stream())
LENGTHS = torch.tensor([7, 3, 1])
LABEL = torch.tensor([0, 1, 0])


def counted(model):
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("method", ["gradient", "saliency", "input_x_gradient"])
def test_a_kept_first_pass_gives_the_same_bits_and_is_not_made_again(method, lengths):
    model = Opaque().eval()
    afresh = attribute(model, SERIES, method, target=LABEL, lengths=lengths)
    calls = counted(model)
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
    assert part(query, slice(0, 9)).cached is query.cached
    some = part(query, slice(1, 3))
    assert some.cached is None
    torch.testing.assert_close(some.gradient(some.x), query.gradient(X)[1:3])
