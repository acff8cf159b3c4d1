"""Sums and softmax over segments: groups of rows, whatever their number and sizes."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["segment_softmax", "segment_sum"]


def segment_sum(
    values: Float[Tensor, "row *feature"], segment: Int[Tensor, " row"], count: int
) -> Float[Tensor, "segment *feature"]:
    """Add up the rows of each segment.

    Args:
        values: of the rows.
        segment: the number of the segment of each row.
        count: how many segments there are; those without a row give zero.

    Returns:
        The sums.

    Example:
        >>> import torch
        >>> segment_sum(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2, 0, 2]), 3).tolist()
        [2.0, 0.0, 5.0]
    """
    return values.new_zeros(count, *values.shape[1:]).index_add(0, segment, values)


def segment_softmax(scores: Float[Tensor, " row"], segment: Int[Tensor, " row"], count: int) -> Float[Tensor, " row"]:
    """Take the softmax over the rows of each segment, in time and memory that follow the rows alone.

    Args:
        scores: of the rows.
        segment: the number of the segment of each row.
        count: how many segments there are.

    Returns:
        Weights that sum to one over each segment.

    Example:
        >>> import torch
        >>> scores = torch.tensor([3.0, 0.0, 3.0, 1000.0])
        >>> segment_softmax(scores, torch.tensor([0, 1, 0, 2]), 3).tolist()
        [0.5, 1.0, 0.5, 1.0]
    """
    top = scores.new_zeros(count).scatter_reduce(0, segment, scores.detach(), "amax", include_self=False)
    shares = (scores - top[segment]).exp()
    return shares / segment_sum(shares, segment, count)[segment]
