"""Input-cell attention: the input of a recurrent cell is a softmax average of all inputs so far."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.check import check_choice, check_counts, check_series
from perdure.core.errors import LengthError
from perdure.nn.fused import ScoredAverage
from perdure.ops.scan import causal_softmax_average
from perdure.ops.sequence import length_mask

__all__ = ["InputCellAttention", "Position", "Reduction"]

Reduction = Literal["mean", "matrix"]
Position = Literal["learned", "sinusoidal"]

WAVE_BASE = 1000.0
"""Ratio of the longest to the shortest wavelength of the sinusoidal position."""


class InputCellAttention(nn.Module):
    r"""Attend at every step to all inputs up to it.

    .. math:: e_i = W_2 \tanh(W_1 x_i + p_i), \quad A_t = \mathrm{softmax}_{i \le t}(e_i), \quad M_t = A_t X_t

    Each hop is one row of :math:`A_t`; the input of the recurrence in place of :math:`x_t` is the mean of the rows of
    :math:`M_t` or all rows. The score of a step depends only on that step, so the whole sequence is one causal scan in
    linear time and memory. With the position term :math:`p_i` the score depends on the time of a step too; without it
    (None) the score is that of the paper.

    Args:
        input_size: Features of a step.
        attention_size: Width of the hidden layer of the score.
        hops: Number of rows of attention.
        reduction: "mean" over hops, or the concatenated rows of the "matrix".
        position: None, "learned" (a vector for each step, initialised from N(0, 1)), or "sinusoidal" (no parameters).
        max_length: Maximum number of steps of a learned position; otherwise unused.

    Raises:
        SettingError: for a size below 1 or an unknown reduction or position.

    Reference:
        ismail2019inputcell

    Example:
        >>> cell = InputCellAttention(1, attention_size=2, hops=3)
        >>> _ = torch.nn.init.zeros_(cell.hop_layer.weight)
        >>> cell(torch.tensor([[[1.0], [2.0], [6.0]]])).flatten().tolist()
        [1.0, 1.5, 3.0]

    Notes:
        The paper uses the matrix, its published code the mean. Biases of the hop layer cancel in the softmax; they
        are kept because the published code has them.
    """

    position_table: nn.Parameter | None

    def __init__(
        self,
        input_size: int,
        attention_size: int = 50,
        hops: int = 20,
        reduction: Reduction = "mean",
        position: Position | None = None,
        max_length: int = 1024,
    ) -> None:
        super().__init__()
        check_counts(input_size=input_size, attention_size=attention_size, hops=hops, max_length=max_length)
        check_choice("reduction", reduction, get_args(Reduction))
        check_choice("position", position, (None, *get_args(Position)))
        self.input_size = input_size
        self.attention_size = attention_size
        self.hops = hops
        self.reduction = reduction
        self.position = position
        self.output_size = input_size * (hops if reduction == "matrix" else 1)
        self.input_layer = nn.Linear(input_size, attention_size)
        self.hop_layer = nn.Linear(attention_size, hops)
        learned = nn.Parameter(torch.empty(max_length, attention_size)) if position == "learned" else None
        self.register_parameter("position_table", learned)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initialise weights (Xavier uniform), positions (standard normal) and biases (zero).

        Args:
            generator: Generator for all random draws; the global generator of torch when None.
        """
        for layer in (self.input_layer, self.hop_layer):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
        if self.position_table is not None:
            nn.init.normal_(self.position_table, generator=generator)

    def forward(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time output"]:
        """Average the inputs up to each step.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are valid. Padded steps have no influence.

        Returns:
            Inputs of the recurrence: (batch, time, input_size) for "mean", (batch, time, hops * input_size) for
            "matrix"; zero at padded steps.

        Raises:
            ShapeError: when x is not (batch, time, input_size).
            LengthError: when a length is not in 1..time, or x is longer than the learned positions.
        """
        x, mask = self._clear_padding(x, lengths)
        if self.reduction == "mean" and self._can_fuse(x):
            return self._average_fused(x, mask)
        scores = self._score(x)
        if self.reduction == "mean":
            return causal_softmax_average(scores, x, mask)
        rows = causal_softmax_average(
            scores.mT.flatten(0, 1)[..., None],
            x.repeat_interleave(self.hops, 0),
            None if mask is None else mask.repeat_interleave(self.hops, 0),
        )
        return rows.reshape(-1, self.hops, *x.shape[1:]).transpose(1, 2).flatten(2)

    def scores(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time hop"]:
        """Score each step; the softmax over the steps up to t is the attention of step t.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are valid.

        Returns:
            Scores of each step and hop, minus infinity at padded steps.
        """
        x, mask = self._clear_padding(x, lengths)
        scores = self._score(x)
        return scores if mask is None else scores.masked_fill(~mask[..., None], -torch.inf)

    def weights(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time time hop"]:
        """Compute the attention between all pairs of steps; quadratic in time, for inspection.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are valid.

        Returns:
            Weight of step i in the average of step t and hop h at [b, t, i, h]; zero for i > t and at padded steps.
        """
        scores = self.scores(x, lengths)
        steps = x.shape[1]
        causal = torch.ones(steps, steps, dtype=torch.bool, device=x.device).tril()[..., None]
        weights = scores[:, None].masked_fill(~causal, -torch.inf).softmax(2)
        return weights if lengths is None else weights.masked_fill(torch.isinf(scores)[:, :, None], 0.0)

    def extra_repr(self) -> str:
        """Describe the settings in `repr`."""
        return f"reduction={self.reduction!r}, position={self.position!r}"

    def _clear_padding(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Check the inputs and set padded steps, which may contain NaN, to zero."""
        check_series(x, self.input_size, lengths)
        if lengths is None:
            return x, None
        mask = length_mask(lengths.to(x.device), x.shape[1])
        return x.masked_fill(~mask[..., None], 0.0), mask

    def _can_fuse(self, x: Tensor) -> bool:
        """Return whether the fused kernel applies: one dtype, no autocast, no hooks."""
        same_dtype = x.dtype == self.input_layer.weight.dtype and x.dtype in (torch.float32, torch.float64)
        plain = all(_is_plain_linear(layer) for layer in (self.input_layer, self.hop_layer))
        return same_dtype and plain and not torch.is_autocast_enabled(x.device.type)

    def _average_fused(self, x: Tensor, mask: Tensor | None) -> Tensor:
        position = None if self.position is None else self._positions(x.shape[1], x)
        weights = [part for layer in (self.input_layer, self.hop_layer) for part in (layer.weight, layer.bias)]
        average: Tensor = ScoredAverage.apply(x, mask, position, *weights)
        return average if mask is None else average.masked_fill(~mask[..., None], 0.0)

    def _score(self, x: Tensor) -> Tensor:
        hidden = self.input_layer(x)
        if self.position is not None:
            hidden = hidden + self._positions(x.shape[1], hidden)
        scores: Tensor = self.hop_layer(hidden.tanh())
        return scores

    def _positions(self, steps: int, like: Tensor) -> Tensor:
        if self.position_table is None:
            return _sinusoids(steps, self.attention_size).to(like)
        if steps > len(self.position_table):
            raise LengthError(
                f"x has {steps} steps, but positions were learned for {len(self.position_table)}",
                "build the cell with a larger max_length, or with position='sinusoidal', which supports any length",
            )
        return self.position_table[:steps]


def _sinusoids(steps: int, size: int) -> Tensor:
    frequencies = WAVE_BASE ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.arange(steps, dtype=torch.float64)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :size]


def _is_plain_linear(layer: nn.Module) -> bool:
    """Return whether a layer is exactly `nn.Linear` without hooks."""
    return type(layer) is nn.Linear and not (layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks)
