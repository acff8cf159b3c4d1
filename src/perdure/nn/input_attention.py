"""Input-cell attention: a recurrent cell reads a softmax average of all inputs so far instead of the current one."""

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

    Each of the hops is one row of :math:`A_t`; what a recurrence reads in place of :math:`x_t` is the mean of the
    rows of :math:`M_t` or all of them. The score of a step depends on that step alone, so the whole sequence is
    one causal scan in linear time and memory. The position term :math:`p_i` lets the score know *when* as well as
    *what*; without it (None) the score is that of the paper.

    Args:
        input_size: features of a step.
        attention_size: width of the hidden layer of the score.
        hops: rows of attention.
        reduction: "mean" over hops, or the whole "matrix", hop after hop.
        position: None, "learned" (a vector for each step, first drawn from N(0, 1)), or "sinusoidal" (no parameters).
        max_length: the most steps that a learned position knows; not used otherwise.

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
        The paper feeds the matrix, its published code the mean. Biases of the hop layer cancel in the softmax; they
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
        """Draw the weights (Xavier uniform) and positions (standard normal) afresh; biases become zero.

        Args:
            generator: the stream to draw from; torch's own when None.
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
            x: a series.
            lengths: valid steps of each sample; None when all are. Padding is neither read nor counted.

        Returns:
            What a recurrence reads: (batch, time, input_size) for "mean", (batch, time, hops * input_size) for
            "matrix"; zero at padded steps.

        Raises:
            ShapeError: when x is not (batch, time, input_size).
            LengthError: when a length is not in 1..time, or x is longer than the learned positions.
        """
        x, mask = self._valid(x, lengths)
        if self.reduction == "mean" and self._fuses(x):
            return self._fused(x, mask)
        scores = self._scores(x)
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
            x: a series.
            lengths: valid steps of each sample; None when all are.

        Returns:
            One score for each step and hop, minus infinity at padded steps.
        """
        x, mask = self._valid(x, lengths)
        scores = self._scores(x)
        return scores if mask is None else scores.masked_fill(~mask[..., None], -torch.inf)

    def weights(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time time hop"]:
        """Show the attention of every step to every step; quadratic in time, for inspection.

        Args:
            x: a series.
            lengths: valid steps of each sample; None when all are.

        Returns:
            At [b, t, i, h] the weight that step t gives to step i in hop h; zero for i > t and at padded steps.
        """
        scores = self.scores(x, lengths)
        steps = x.shape[1]
        seen = torch.ones(steps, steps, dtype=torch.bool, device=x.device).tril()[..., None]
        weights = scores[:, None].masked_fill(~seen, -torch.inf).softmax(2)
        return weights if lengths is None else weights.masked_fill(torch.isinf(scores)[:, :, None], 0.0)

    def extra_repr(self) -> str:
        """Describe the settings in `repr`."""
        return f"reduction={self.reduction!r}, position={self.position!r}"

    def _valid(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Check the inputs and clear their padding, which may hold anything."""
        check_series(x, self.input_size, lengths)
        if lengths is None:
            return x, None
        mask = length_mask(lengths.to(x.device), x.shape[1])
        return x.masked_fill(~mask[..., None], 0.0), mask

    def _fuses(self, x: Tensor) -> bool:
        """Tell whether inputs and weights are of one precision, nobody asks for less, and nobody watches the layers."""
        one = x.dtype == self.input_layer.weight.dtype and x.dtype in (torch.float32, torch.float64)
        plain = all(_plain(layer) for layer in (self.input_layer, self.hop_layer))
        return one and plain and not torch.is_autocast_enabled(x.device.type)

    def _fused(self, x: Tensor, mask: Tensor | None) -> Tensor:
        position = None if self.position is None else self._positions(x.shape[1], x)
        weights = [part for layer in (self.input_layer, self.hop_layer) for part in (layer.weight, layer.bias)]
        average: Tensor = ScoredAverage.apply(x, mask, position, *weights)  # type: ignore[no-untyped-call]
        return average if mask is None else average.masked_fill(~mask[..., None], 0.0)

    def _scores(self, x: Tensor) -> Tensor:
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
                "build the cell with a larger max_length, or with position='sinusoidal', which knows any length",
            )
        return self.position_table[:steps]


def _sinusoids(steps: int, size: int) -> Tensor:
    frequencies = WAVE_BASE ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.arange(steps, dtype=torch.float64)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :size]


def _plain(layer: nn.Module) -> bool:
    """Tell whether nothing but a linear layer would run: no other module in its place, and no hooks."""
    return type(layer) is nn.Linear and not (layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks)
