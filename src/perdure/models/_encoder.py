"""The recurrent encoder of networks with attention to events."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from perdure.models._dropout import Dropout
from perdure.ops.sequence import length_mask

__all__ = ["Encoded", "Encoder", "draw_recurrent"]

MOMENTUM, EPSILON = 0.01, 1e-3
"""Settings of batch normalisation, as in Keras."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """The outputs of an encoder for series.

    Args:
        steps: Output at each step; undefined at padded steps.
        output: Output at the last valid step.
        cell: Cell state of the last LSTM at that step.
        mask: Valid steps.
    """

    steps: Float[Tensor, "batch time unit"]
    output: Float[Tensor, "batch unit"]
    cell: Float[Tensor, "batch unit"]
    mask: Bool[Tensor, "batch time"]


class Encoder(nn.Module):
    """Encode series with a linear layer and stacked LSTMs.

    Args:
        features: Features of each step.
        dense_size: Outputs of the linear layer.
        hidden_sizes: Width of each LSTM.
        normalise: Whether the input of each LSTM is normalised over the batch; for the second LSTM twice, as published.
        dropout: Fraction of the inputs of the second and later LSTMs that is dropped in training.
    """

    def __init__(
        self, features: int, dense_size: int, hidden_sizes: tuple[int, ...], *, normalise: bool, dropout: float
    ) -> None:
        super().__init__()
        self.dense = nn.Linear(features, dense_size)
        widths = (dense_size, *hidden_sizes)
        self.recurrences = nn.ModuleList(nn.LSTM(read, given, batch_first=True) for read, given in pairwise(widths))
        self.between = nn.ModuleList(
            _Between(width, (2 if layer == 1 else 1) * normalise, dropout if layer else 0.0)
            for layer, width in enumerate(widths[:-1])
        )

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw new weights, as Keras does.

        Args:
            generator: Stream to draw from.
        """
        nn.init.xavier_uniform_(self.dense.weight, generator=generator)
        nn.init.zeros_(self.dense.bias)
        for module in self.modules():
            if isinstance(module, nn.LSTM):
                draw_recurrent(module, generator)
            elif isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()

    def forward(self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None) -> Encoded:
        """Encode series.

        Args:
            x: Series; the values at padded steps have no effect.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            The outputs, and the state after the last valid step.
        """
        valid = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        mask = length_mask(valid.to(x.device), x.shape[1])
        read = self.dense(x.masked_fill(~mask[..., None], 0.0))
        *lower, top = zip(self.between, self.recurrences, strict=True)
        for between, recurrence in lower:
            read = recurrence(between(read, mask))[0]
        between, recurrence = top
        packed = pack_padded_sequence(between(read, mask), valid.cpu(), batch_first=True, enforce_sorted=False)
        outputs, (output, cell) = recurrence(packed)
        steps = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0]
        return Encoded(steps, output[0], cell[0], mask)


class _Between(nn.Module):
    """Batch normalisation over valid steps, repeated, then dropout."""

    def __init__(self, width: int, times: int, dropout: float) -> None:
        super().__init__()
        self.normalisations = nn.ModuleList(nn.BatchNorm1d(width, eps=EPSILON, momentum=MOMENTUM) for _ in range(times))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Bool[Tensor, "batch time"]) -> Tensor:
        for normalisation in self.normalisations:
            x = torch.zeros_like(x).masked_scatter(mask[..., None], normalisation(x[mask]))
        dropped: Tensor = self.dropout(x)
        return dropped


def draw_recurrent(layer: nn.LSTM | nn.LSTMCell, generator: torch.Generator) -> None:
    """Draw the weights of an LSTM as Keras does: Xavier uniform, orthogonal where recurrent, forget biases of 1.

    Args:
        layer: Layer to modify; every other bias is zero.
        generator: Stream to draw from.
    """
    for name, weight in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(weight, generator=generator)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(weight, generator=generator)
        else:
            nn.init.zeros_(weight)
            if name.startswith("bias_ih"):
                nn.init.ones_(weight.detach()[layer.hidden_size : 2 * layer.hidden_size])
