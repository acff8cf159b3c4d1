"""Pooling: from the outputs of all steps to one vector per sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from perdure.ops.sequence import last_valid

__all__ = ["POOLS", "Pooled", "SelfAttentionPooling", "join", "pool"]


@dataclass(frozen=True, eq=False)
class Pooled:
    """The pooled outputs of a segment of steps.

    Args:
        value: Pooled outputs; undefined where the count is zero.
        count: Number of valid steps.
    """

    value: Float[Tensor, "batch feature"]
    count: Int[Tensor, "batch 1"]


def pool(kind: str, outputs: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None) -> Pooled:
    """Pool a segment of steps.

    Args:
        kind: Kind of pooling: "last", "mean" or "max".
        outputs: Outputs of a recurrence.
        mask: Valid steps, which come first; None when all are.

    Returns:
        The value over the valid steps, with their number.

    Example:
        >>> outputs = torch.tensor([[[1.0], [4.0], [9.0]]])
        >>> pool("mean", outputs, torch.tensor([[True, True, False]])).value.item()
        2.5
    """
    if mask is None:
        count = torch.full((len(outputs), 1), outputs.shape[1], device=outputs.device)
    else:
        count = mask.sum(1, keepdim=True)
    return Pooled(POOLS[kind][0](outputs, mask), count)


def join(kind: str, before: Pooled | None, after: Pooled) -> Pooled:
    """Pool two consecutive segments, from the pooled outputs of each.

    Args:
        kind: Kind of pooling of both.
        before: Earlier segment; None when there is none.
        after: Later segment.

    Returns:
        The result of `pool` for both segments together.
    """
    if before is None:
        return after
    return Pooled(POOLS[kind][1](before, after), before.count + after.count)


def _mean(outputs: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return outputs.mean(1)
    return outputs.masked_fill(~mask[..., None], 0.0).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)


def _max(outputs: Tensor, mask: Tensor | None) -> Tensor:
    return (outputs if mask is None else outputs.masked_fill(~mask[..., None], -torch.inf)).amax(1)


def _join_last(before: Pooled, after: Pooled) -> Tensor:
    return torch.where(after.count > 0, after.value, before.value)


def _join_mean(before: Pooled, after: Pooled) -> Tensor:
    fraction = after.count / (before.count + after.count).clamp_min(1)
    return before.value + fraction.to(after.value.dtype) * (after.value - before.value)


def _join_max(before: Pooled, after: Pooled) -> Tensor:
    return torch.maximum(before.value, after.value)


POOLS: dict[str, tuple[Callable[[Tensor, Tensor | None], Tensor], Callable[[Pooled, Pooled], Tensor]]] = {
    "last": (last_valid, _join_last),
    "mean": (_mean, _join_mean),
    "max": (_max, _join_max),
}
"""For each pooling: a function that pools one segment, and one that joins two."""


class SelfAttentionPooling(nn.Module):
    r"""Pool with learned attention: one weighted mean of the outputs per hop.

    .. math:: A = \mathrm{softmax}(W_2 \tanh(W_1 H^\top)), \quad M = A H

    Args:
        input_size: Features of an output, u.
        attention_size: Width of the hidden layer of the score.
        hops: Rows of attention.

    Reference:
        lin2017selfattentive

    Example:
        >>> pooling = SelfAttentionPooling(1, attention_size=2, hops=1)
        >>> _ = torch.nn.init.zeros_(pooling.hop_layer.weight)
        >>> pooling(torch.tensor([[[1.0], [2.0], [6.0]]])).tolist()
        [[3.0]]
    """

    def __init__(self, input_size: int, attention_size: int = 50, hops: int = 20) -> None:
        super().__init__()
        self.output_size = hops * input_size
        self.input_layer = nn.Linear(input_size, attention_size, bias=False)
        self.hop_layer = nn.Linear(attention_size, hops, bias=False)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights, Xavier uniform.

        Args:
            generator: Stream to draw from; torch's own when None.
        """
        for layer in (self.input_layer, self.hop_layer):
            nn.init.xavier_uniform_(layer.weight, generator=generator)

    def forward(
        self, outputs: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch pooled"]:
        """Pool the valid steps.

        Args:
            outputs: Outputs of a recurrence.
            mask: Valid steps; None when all are.

        Returns:
            The means of all hops, hop after hop.
        """
        return (self.weights(outputs, mask).mT @ outputs).flatten(1)

    def weights(
        self, outputs: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch time hop"]:
        """Return the attention to each step.

        Args:
            outputs: Outputs of a recurrence.
            mask: Valid steps; None when all are.

        Returns:
            Weights that sum to one over the valid steps of each hop.
        """
        scores: Tensor = self.hop_layer(self.input_layer(outputs).tanh())
        if mask is not None:
            scores = scores.masked_fill(~mask[..., None], -torch.inf)
        return scores.softmax(1)
