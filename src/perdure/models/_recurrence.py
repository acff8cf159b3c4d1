"""Recurrences that read in both directions, and recurrences resumed from a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor, cat, full_like, nn, zeros_like

from perdure.models._pooling import Pooled, join, pool
from perdure.ops.sequence import last_valid, length_mask, reverse_valid

__all__ = ["Bidirectional", "PrefixState", "join_states", "make_recurrence", "prefix_states", "resume_pooled"]


Kind = type[nn.RNN | nn.GRU | nn.LSTM]


class Bidirectional(nn.Module):
    """A recurrence that reads a series forwards and backwards, layer by layer.

    Each direction is a separate recurrence: on a CPU the two together take half the time of one bidirectional
    module, and padding needs no packing. The last output needs a single step of the backward direction.

    Args:
        kind: Class of the recurrence.
        features: Features of each step.
        hidden_size: Width of the state, in each direction.
        layers: Number of stacked pairs.
    """

    def __init__(self, kind: Kind, features: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        widths = [features, *[2 * hidden_size] * (layers - 1)]
        self.ahead = nn.ModuleList(kind(width, hidden_size, batch_first=True) for width in widths)
        self.back = nn.ModuleList(kind(width, hidden_size, batch_first=True) for width in widths)

    def forward(
        self, x: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch time output"]:
        """Run both directions over all steps.

        Args:
            x: Series.
            mask: Valid steps; None when all are.

        Returns:
            The outputs of both directions at each step; undefined at padded steps.
        """
        for layer in range(len(self.ahead)):
            x = self._layer(layer, x, mask)
        return x

    def last(
        self, x: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch output"]:
        """Return the outputs at the last valid step, where the backward direction has read only this step.

        Args:
            x: Series.
            mask: Valid steps; None when all are.

        Returns:
            The same as `forward` at that step.
        """
        for layer in range(len(self.ahead) - 1):
            x = self._layer(layer, x, mask)
        return self.join_backward(x, self.ahead[-1](x)[0], mask)

    def join_backward(
        self,
        x: Float[Tensor, "batch time feature"],
        ahead: Float[Tensor, "batch time hidden"],
        mask: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch output"]:
        """Append the backward direction of the last layer to the forward one, at the last valid step.

        Args:
            x: Inputs of the last layer.
            ahead: Outputs of its forward direction.
            mask: Valid steps; None when all are.

        Returns:
            The same as `last`.
        """
        one_step = self.back[-1](last_valid(x, mask)[:, None])[0][:, 0]
        return cat([last_valid(ahead, mask), one_step], dim=1)

    def _layer(self, layer: int, x: Tensor, mask: Tensor | None) -> Tensor:
        backwards = self.back[layer](reverse_valid(x, mask))[0]
        return cat([self.ahead[layer](x)[0], reverse_valid(backwards, mask)], dim=2)


def make_recurrence(
    kind: Kind, features: int, hidden_size: int, layers: int, *, both_ways: bool
) -> nn.RNNBase | Bidirectional:
    """Make a recurrence that reads in one direction or in both.

    Args:
        kind: Class of the recurrence.
        features: Features of each step.
        hidden_size: Width of the state, in each direction.
        layers: Number of stacked layers.
        both_ways: Whether to read backwards as well.

    Returns:
        The recurrence; one direction is torch's own module.
    """
    if both_ways:
        return Bidirectional(kind, features, hidden_size, layers)
    return kind(features, hidden_size, num_layers=layers, batch_first=True)


@dataclass(frozen=True, eq=False)
class PrefixState:
    """The state of a recurrent classifier before a step.

    Args:
        hidden: State of the make_recurrence, (layers, batch, hidden_size), or two of them; None before the first step.
        pooled: Pooled outputs of the steps so far; None before the first step.
        remaining: Number of valid steps that follow, for each sample; None when all are.
    """

    hidden: Tensor | tuple[Tensor, ...] | None
    pooled: Pooled | None
    remaining: Int[Tensor, " batch"] | None


def prefix_states(
    recurrence: Any,
    pooling: str,
    x: Float[Tensor, "batch time feature"],
    starts: list[int],
    lengths: Int[Tensor, " batch"] | None = None,
) -> list[PrefixState]:
    """Run a recurrence once, segment by segment, and keep the state before some steps.

    Args:
        recurrence: A unidirectional RNN, GRU or LSTM.
        pooling: "last", "mean" or "max".
        x: Series.
        starts: Steps, ascending.
        lengths: Valid steps of each sample; None when all are.

    Returns:
        One state per start.
    """
    lengths = None if lengths is None else lengths.to(x.device)
    mask = None if lengths is None else length_mask(lengths, x.shape[1])
    hidden, pooled, states = None, None, []
    for begin, end in zip([0, *starts], starts, strict=False):
        if begin < end:
            outputs, hidden = recurrence(x[:, begin:end], hidden)
            pooled = join(pooling, pooled, pool(pooling, outputs, None if mask is None else mask[:, begin:end]))
        states.append(PrefixState(hidden, pooled, None if lengths is None else (lengths - end).clamp_min(0)))
    return states


def join_states(pooling: str, states: list[PrefixState]) -> PrefixState:
    """Join states along the batch.

    Args:
        pooling: Pooling of the states.
        states: States before several steps.

    Returns:
        The state of the samples before the first of these steps, then before the second, and so on.
    """
    known = next((state for state in states if state.pooled is not None), None)
    remaining = None if states[0].remaining is None else cat([state.remaining for state in states])  # type: ignore[misc]
    if known is None or known.pooled is None:
        return PrefixState(None, None, remaining)
    nothing = float("-inf") if pooling == "max" else 0.0
    empty = Pooled(full_like(known.pooled.value, nothing), zeros_like(known.pooled.count))
    pooled = [state.pooled or empty for state in states]
    joined = Pooled(cat([part.value for part in pooled]), cat([part.count for part in pooled]))
    return PrefixState(_join_hidden([state.hidden for state in states], known.hidden), joined, remaining)


def _join_hidden(hidden: list[Any], like: Any) -> Tensor | tuple[Tensor, ...]:
    """Join along the batch; before the first step a state is zero."""
    if isinstance(like, Tensor):
        return cat([zeros_like(like) if part is None else part for part in hidden], dim=1)
    parts = [[None] * len(like) if part is None else part for part in hidden]
    return tuple(
        cat([zeros_like(first) if item is None else item for item in items], dim=1)
        for first, items in zip(like, zip(*parts, strict=True), strict=True)
    )


def resume_pooled(
    recurrence: Any, pooling: str, state: PrefixState, x: Float[Tensor, "copies batch rest feature"]
) -> Float[Tensor, "row hidden"]:
    """Resume from a state with several versions of the remaining steps, and pool all steps.

    Args:
        recurrence: Recurrence of the state.
        pooling: Pooling of the state.
        state: State from `prefix_states`.
        x: Remaining steps.

    Returns:
        One row for each copy and sample, copies outermost.
    """
    copies, _, rest, _ = x.shape
    outputs, _ = recurrence(x.flatten(0, 1), _repeat_hidden(state.hidden, copies))
    mask = None if state.remaining is None else length_mask(state.remaining, rest).repeat(copies, 1)
    before = state.pooled and Pooled(state.pooled.value.repeat(copies, 1), state.pooled.count.repeat(copies, 1))
    return join(pooling, before, pool(pooling, outputs, mask)).value


def _repeat_hidden(hidden: Tensor | tuple[Tensor, ...] | None, copies: int) -> Tensor | tuple[Tensor, ...] | None:
    """Give every copy of the batch the same state."""
    if hidden is None:
        return None
    if isinstance(hidden, Tensor):
        return hidden.repeat(1, copies, 1)
    return tuple(part.repeat(1, copies, 1) for part in hidden)
