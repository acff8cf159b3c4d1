"""Recurrent classifiers: an RNN, GRU or LSTM with or without input-cell attention, and any pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from perdure.core.check import check_choice, check_counts, check_series
from perdure.core.errors import SettingError
from perdure.models._dropout import Dropout
from perdure.models._pooling import POOLS, SelfAttentionPooling, pool
from perdure.models._recurrence import (
    Bidirectional,
    PrefixState,
    join_states,
    make_recurrence,
    prefix_states,
    resume_pooled,
)
from perdure.nn.input_attention import InputCellAttention, Position
from perdure.ops.sequence import length_mask

__all__ = ["Recurrent", "RecurrentClassifier"]

Cell = Literal["rnn", "gru", "lstm"]
Pooling = Literal["last", "mean", "max", "self_attention"]
InputAttention = Literal["none", "mean", "matrix"]

RECURRENCES: dict[Cell, type[nn.RNN | nn.GRU | nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class Recurrent:
    """Classify a series with a recurrent network.

    Args:
        cell: Kind of the recurrence.
        hidden_size: Width of its state, in each direction.
        layers: Number of stacked recurrences.
        bidirectional: Whether a second recurrence reads backwards.
        pooling: Pooling of the outputs of all steps for the head.
        input_attention: Input-cell attention: "none", or the reduction of the input-cell attention that the
            recurrence reads.
        attention_size: Width of the hidden layer of attention scores, in the input and in the pooling.
        hops: Rows of attention, in the input and in the pooling.
        position: Position term of the input-cell attention.
        input_dropout: Fraction of inputs dropped in training.
        output_dropout: Fraction of pooled features dropped in training.

    Raises:
        SettingError: For a value that cannot be used.

    Notes:
        Pooling "last" takes the outputs at the last valid step, in a bidirectional network those of both directions,
        of which the backward one has then read a single step; so it is in the published experiments.
    """

    cell: Cell = "lstm"
    hidden_size: int = 32
    layers: int = 1
    bidirectional: bool = False
    pooling: Pooling = "last"
    input_attention: InputAttention = "none"
    attention_size: int = 50
    hops: int = 20
    position: Position | None = None
    input_dropout: float = 0.0
    output_dropout: float = 0.0

    def __post_init__(self) -> None:
        check_choice("cell", self.cell, get_args(Cell))
        check_choice("pooling", self.pooling, get_args(Pooling))
        check_choice("input_attention", self.input_attention, get_args(InputAttention))
        check_choice("position", self.position, (None, *get_args(Position)))
        check_counts(
            hidden_size=self.hidden_size, layers=self.layers, attention_size=self.attention_size, hops=self.hops
        )
        for name in ("input_dropout", "output_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"{name} is {getattr(self, name)}", "give a fraction of at least 0 and below 1")
        if self.position is not None and self.input_attention == "none":
            raise SettingError(
                f"position is {self.position!r}, but there is no input-cell attention to place",
                "give input_attention='mean' or 'matrix', or leave position out",
            )

    @property
    def stackable(self) -> bool:
        """Whether the network has a single LSTM, so that several such networks can run theirs as one."""
        one_way = not self.bidirectional or self.pooling == "last"
        return self.cell == "lstm" and self.layers == 1 and self.input_attention == "none" and one_way

    def build(self, features: int, classes: int, generator: torch.Generator) -> RecurrentClassifier:
        """Build the network with weights drawn from a generator; the global random state is neither read nor changed.

        Args:
            features: Features of each step.
            classes: Number of outputs.
            generator: Stream of the weights; the network is made on its device.

        Returns:
            A new network in training mode.
        """
        with torch.device("meta"):
            model = RecurrentClassifier(self, features, classes)
        model = model.to_empty(device=generator.device)
        model.reset_parameters(generator)
        return model


class RecurrentClassifier(nn.Module):
    """The network of a `Recurrent`: dropout, input-cell attention, recurrence, pooling, dropout and a linear head.

    Args:
        config: Settings.
        features: Features of each step.
        classes: Number of outputs.

    Example:
        >>> model = Recurrent(hidden_size=5).build(3, 2, torch.Generator().manual_seed(0))
        >>> model(torch.zeros(4, 7, 3), lengths=torch.tensor([7, 5, 1, 7])).shape
        torch.Size([4, 2])
    """

    def __init__(self, config: Recurrent, features: int, classes: int) -> None:
        super().__init__()
        check_counts(features=features, classes=classes)
        self.config = config
        self.features = features
        self.input_dropout = Dropout(config.input_dropout)
        self.input_attention = _input_attention(config, features)
        read = features if self.input_attention is None else self.input_attention.output_size
        self.recurrence = make_recurrence(
            RECURRENCES[config.cell], read, config.hidden_size, config.layers, both_ways=config.bidirectional
        )
        width = config.hidden_size * (2 if config.bidirectional else 1)
        self.self_attention = (
            SelfAttentionPooling(width, config.attention_size, config.hops)
            if config.pooling == "self_attention"
            else None
        )
        self.output_dropout = Dropout(config.output_dropout)
        self.head = nn.Linear(width if self.self_attention is None else self.self_attention.output_size, classes)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw new weights: attention by its own method, all else as torch does.

        Args:
            generator: Stream to draw from.
        """
        for attention in (self.input_attention, self.self_attention):
            if attention is not None:
                attention.reset_parameters(generator)
        for layer, fan in ((self.recurrence, self.recurrence.hidden_size), (self.head, self.head.in_features)):
            for weight in layer.parameters():
                nn.init.uniform_(weight, -(fan**-0.5), fan**-0.5, generator=generator)

    def forward(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Classify series.

        Args:
            x: Series; the values at padded steps have no effect.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            Logits.

        Raises:
            ShapeError: When x is not (batch, time, features).
            LengthError: When a length is not in 1..time.
        """
        read, mask = self.read(x, lengths)
        if isinstance(self.recurrence, Bidirectional) and self.config.pooling == "last":
            return self._classify(self.recurrence.last(read, mask))
        return self._pool_and_classify(self._outputs(read, mask), mask)

    def read(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> tuple[Float[Tensor, "batch time read"], Bool[Tensor, "batch time"] | None]:
        """Prepare the input of the recurrence: the first part of `forward`.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            The input of the recurrence, and the mask of valid steps; None when all are.

        Raises:
            ShapeError: When x is not (batch, time, features).
            LengthError: When a length is not in 1..time.
        """
        check_series(x, self.features, lengths)
        mask = None if lengths is None else length_mask(lengths.to(x.device), x.shape[1])
        x = self.input_dropout(x if mask is None else x.masked_fill(~mask[..., None], 0.0))
        return (x if self.input_attention is None else self.input_attention(x, lengths)), mask

    @property
    def lstm(self) -> nn.LSTM:
        """The single LSTM of a stackable network."""
        lstm: nn.LSTM = self.recurrence.ahead[0] if isinstance(self.recurrence, Bidirectional) else self.recurrence  # type: ignore[assignment]
        return lstm

    def finish(
        self,
        read: Float[Tensor, "batch time read"],
        ahead: Float[Tensor, "batch time hidden"],
        mask: Bool[Tensor, "batch time"] | None,
    ) -> Float[Tensor, "batch classes"]:
        """Classify from the outputs of the `lstm` of a stackable network: the last part of `forward`.

        Args:
            read: Input of the recurrence, from `read`.
            ahead: Outputs of the `lstm` for it.
            mask: Mask from `read`.

        Returns:
            Logits.
        """
        if isinstance(self.recurrence, Bidirectional):
            return self._classify(self.recurrence.join_backward(read, ahead, mask))
        return self._pool_and_classify(ahead, mask)

    def attention(
        self, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time"] | None:
        """Return the attention of the prediction to each step, mean over hops.

        Args:
            x: Series.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            With self-attention pooling its weights; with input-cell attention and pooling "last" what the last valid
            step attends to; else None. Weights sum to one for each sample.
        """
        if self.self_attention is not None:
            read, mask = self.read(x, lengths)
            return self.self_attention.weights(self._outputs(read, mask), mask).mean(-1)
        if self.input_attention is not None and self.config.pooling == "last":
            return self.input_attention.scores(x, lengths).softmax(1).mean(-1)
        return None

    @property
    def resumable(self) -> bool:
        """Whether a state before a step contains all that later steps need of earlier ones."""
        return not self.config.bidirectional and self.input_attention is None and self.config.pooling in POOLS

    def prefix_states(
        self, x: Float[Tensor, "batch time feature"], starts: list[int], lengths: Int[Tensor, " batch"] | None = None
    ) -> list[PrefixState]:
        """Run once and keep the state before some steps; for evaluation mode, as dropout is left out.

        Args:
            x: Series.
            starts: Steps, ascending.
            lengths: Valid steps of each sample; None when all are.

        Returns:
            One state per start.
        """
        check_series(x, self.features, lengths)
        return prefix_states(self.recurrence, self.config.pooling, x, starts, lengths)

    def resume(
        self, state: PrefixState, x: Float[Tensor, "copies batch rest feature"]
    ) -> Float[Tensor, "copies batch classes"]:
        """Resume from a state with several versions of the remaining steps.

        Args:
            state: State from `prefix_states`.
            x: Remaining steps.

        Returns:
            Logits, equal to those of the whole series.
        """
        pooled = resume_pooled(self.recurrence, self.config.pooling, state, x)
        return self._classify(pooled).reshape(*x.shape[:2], -1)

    def join_states(self, states: list[PrefixState]) -> PrefixState:
        """Join states before several steps along the batch.

        Args:
            states: States from `prefix_states`.

        Returns:
            One state for all, to resume from in one batch.
        """
        return join_states(self.config.pooling, states)

    def _outputs(self, read: Tensor, mask: Tensor | None) -> Tensor:
        """Run the recurrence over all steps."""
        both = isinstance(self.recurrence, Bidirectional)
        outputs: Tensor = self.recurrence(read, mask) if both else self.recurrence(read)[0]
        return outputs

    def _pool_and_classify(self, outputs: Tensor, mask: Tensor | None) -> Tensor:
        if self.self_attention is not None:
            return self._classify(self.self_attention(outputs, mask))
        return self._classify(pool(self.config.pooling, outputs, mask).value)

    def _classify(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.head(self.output_dropout(pooled))
        return logits


def _input_attention(config: Recurrent, features: int) -> InputCellAttention | None:
    if config.input_attention == "none":
        return None
    return InputCellAttention(
        features, config.attention_size, config.hops, reduction=config.input_attention, position=config.position
    )
