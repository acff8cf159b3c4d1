import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.attention_rollout import AttentionRollout
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.target import AtStep, Logit
from tests.cases import Transformer, fill, perceptron, recurrent, stream

LABEL = torch.tensor([0, 1, 2])
X = torch.randn(3, 6, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([6, 2, 4])


def roll_out(model, x):
    """Follow the attention of one series through the layers by their weights, one layer after the other."""
    state, rollout = x[None], torch.eye(len(x), dtype=torch.float64)
    for layer in model.encoder.layers:
        attention = layer.self_attn(state, state, state, average_attn_weights=False)[1].mean(1)[0]
        rollout = (attention / 2 + torch.eye(len(x)) / 2) @ rollout
        state = layer(state)
    return rollout.detach()


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("position", ["mean", "first", "last"])
def test_a_loop_over_layers_agrees(trained, lengths, position):
    model = fill(Transformer()).double().requires_grad_(trained)
    result = attribute(model, X, AttentionRollout(position), target=LABEL, lengths=lengths).values
    for i, n in enumerate([6] * 3 if lengths is None else lengths.tolist()):
        rollout = roll_out(model, X[i, :n])
        row = {"mean": rollout.mean(0), "first": rollout[0], "last": rollout[-1]}[position]
        torch.testing.assert_close(result[i, :n].sum(1), row)
    torch.testing.assert_close(result.sum((1, 2)), torch.ones(3, dtype=torch.float64))


def test_a_target_at_one_step_reads_that_step():
    encoder = fill(Transformer()).double().encoder
    result = attribute(encoder, X, "attention_rollout", target=AtStep(2, Logit(LABEL)))
    model = Transformer().double()
    model.encoder = encoder
    torch.testing.assert_close(result.values[1].sum(1), roll_out(model, X[1])[2])
    assert (result.provenance.forward, result.provenance.backward) == (3, 0)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")  # in passes of torch with padding
def test_nested_tensors_of_torch_change_nothing():
    maps = [
        attribute(fill(Transformer(nested=nested)).double(), X, "attention_rollout", target=LABEL, lengths=LENGTHS)
        for nested in (True, False)
    ]
    torch.testing.assert_close(maps[0].values, maps[1].values)


def test_the_fast_path_and_the_hooks_of_the_model_stay_as_they_were():
    model = fill(Transformer())
    attribute(model, X.float(), "attention_rollout", target=0)
    assert torch.backends.mha.get_fastpath_enabled()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_what_it_cannot_explain_is_a_named_error():
    class WithToken(Transformer):
        def forward(self, x):
            return self.head(self.encoder(torch.cat([x[:, :1], x], 1))[:, 0])

    with pytest.raises(UnsupportedError, match="no layers of"):
        attribute(recurrent().double(), X, "attention_rollout", target=0)
    with pytest.raises(UnsupportedError, match=r"from 7 to 7 positions, and the series have 6 steps"):
        attribute(fill(WithToken()).double(), X, "attention_rollout", target=0)
    with pytest.raises(UnsupportedError, match="explains series"):
        attribute(nn.Sequential(perceptron()), torch.ones(2, 5), "attention_rollout", target=0)
    with pytest.raises(SettingError, match="position"):
        AttentionRollout("class")
