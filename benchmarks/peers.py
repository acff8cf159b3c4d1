"""Slow references and peers, written the way they are published."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perdure.models._encoder import Encoded
from perdure.models.hierarchical import HierarchicalClassifier
from perdure.nn import InputCellAttention

__all__ = ["LoopedInputCellAttention", "dense_context"]


class LoopedInputCellAttention(nn.Module):
    """Input-cell attention and an LSTM as one loop over time, which projects the whole prefix again at each step.

    Args:
        attention: gives the weights of the attention.
        recurrence: gives the weights of the LSTM.
    """

    def __init__(self, attention: InputCellAttention, recurrence: nn.LSTM) -> None:
        super().__init__()
        self.attention, self.recurrence = attention, recurrence

    def forward(self, x: Tensor) -> Tensor:
        lstm = self.recurrence
        hidden = cell = x.new_zeros(len(x), lstm.hidden_size)
        outputs = []
        for step in range(x.shape[1]):
            prefix = x[:, : step + 1]
            scores = self.attention.hop_layer(self.attention.input_layer(prefix).tanh())
            read = (scores.softmax(1).transpose(1, 2) @ prefix).mean(1)
            gates = read @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + hidden @ lstm.weight_hh_l0.T + lstm.bias_hh_l0
            update, forget, candidate, output = gates.chunk(4, 1)
            cell = forget.sigmoid() * cell + update.sigmoid() * candidate.tanh()
            hidden = output.sigmoid() * cell.tanh()
            outputs.append(hidden)
        return torch.stack(outputs, 1)


def dense_context(model: HierarchicalClassifier, encoded: Encoded, types: Tensor) -> Tensor:
    """Attend to the steps of each type, then to the types, with a row for every type, whether it occurs or not.

    Args:
        model: gives the weights of both levels.
        encoded: Input of the attention.
        types: 1 at the type of each step, (batch, time, type).

    Returns:
        The context of the decoder.
    """
    member = types.transpose(1, 2) > 0
    scores = model.score(encoded.output[:, None], encoded.steps)[:, None].expand(member.shape)
    within = scores.masked_fill(~member, -torch.inf).softmax(2).nan_to_num(0.0)
    contexts = within @ encoded.steps
    occurs = member.any(2)
    across = model.type_score(encoded.output[:, None], contexts).masked_fill(~occurs, -torch.inf).softmax(1)
    return (across[..., None] * contexts).sum(1)
