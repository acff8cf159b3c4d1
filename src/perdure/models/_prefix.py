"""Going on from a state: what a causal recurrence knows before a step, and what it needs no more to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from perdure.models._pooling import Pooled, join, pool
from perdure.ops.sequence import length_mask

__all__ = ["PrefixState", "pooled_from", "prefix_states"]


@dataclass(frozen=True, eq=False)
class PrefixState:
    """What a recurrent classifier knows before a step.

    Args:
        hidden: State of the recurrence, (layers, batch, hidden_size), or two of them; None before the first step.
        pooled: Of the steps so far; None before the first step.
        remaining: Valid steps that follow, for each sample; None when all are.
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
    """Run a recurrence once, stretch by stretch, and keep the state before some steps.

    Args:
        recurrence: A unidirectional RNN, GRU or LSTM.
        pooling: "last", "mean" or "max".
        x: The series.
        starts: Ascending steps.
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


def pooled_from(
    recurrence: Any, pooling: str, state: PrefixState, x: Float[Tensor, "copies batch rest feature"]
) -> Float[Tensor, "row hidden"]:
    """Go on from a state with several versions of the remaining steps, and pool all steps.

    Args:
        recurrence: The one that gave the state.
        pooling: As for the state.
        state: One of `prefix_states`.
        x: The remaining steps.

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
