import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.errors import UnsupportedError
from tests.cases import Opaque, recurrent, stream

X = torch.randn(3, 7, 4, generator=stream())
LABEL, LENGTHS = torch.tensor([0, 1, 2]), torch.tensor([7, 3, 1])
ATTENDS = [{"pooling": "self_attention"}, {"input_attention": "mean"}]


@pytest.mark.parametrize("settings", ATTENDS)
def test_a_step_shares_its_weight_among_its_features(settings):
    model = recurrent(**settings)
    result = attribute(model, X, "attention", target=LABEL, lengths=LENGTHS)
    assert torch.equal(result.values, result.values[..., :1].expand_as(X))
    torch.testing.assert_close(result.values.sum(2), model.attention(X, LENGTHS).detach())
    torch.testing.assert_close(result.values.sum((1, 2)), torch.ones(3))
    assert (result.provenance.forward, result.provenance.backward) == (3, 0)


@pytest.mark.parametrize("model", [Opaque(), recurrent(), lambda x: x.sum(1)])
def test_models_without_attention_name_those_with_it(model):
    with pytest.raises(UnsupportedError, match="lstm_input_cell_attention"):
        attribute(model, X, "attention", target=LABEL)
