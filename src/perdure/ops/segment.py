"""Segments of rows and groups of sites: sums and softmax over segments, numbering and dividing groups."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.ops.position import Granularity, shared_axis

__all__ = ["divide_evenly", "number_groups", "segment_softmax", "segment_sum"]

CELLS = 8
"""Cells along the longer side of an image when no window is given."""


def segment_sum(
    values: Float[Tensor, "row *feature"], segment: Int[Tensor, " row"], count: int
) -> Float[Tensor, "segment *feature"]:
    """Add up the rows of each segment.

    Args:
        values: Values of the rows.
        segment: Number of the segment of each row.
        count: Number of segments; those without a row give zero.

    Returns:
        The sums.

    Example:
        >>> segment_sum(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2, 0, 2]), 3).tolist()
        [2.0, 0.0, 5.0]
    """
    return values.new_zeros(count, *values.shape[1:]).index_add(0, segment, values)


def segment_softmax(scores: Float[Tensor, " row"], segment: Int[Tensor, " row"], count: int) -> Float[Tensor, " row"]:
    """Take the softmax over the rows of each segment, in time and memory linear in the number of rows.

    Args:
        scores: Scores of the rows.
        segment: Number of the segment of each row.
        count: Number of segments.

    Returns:
        Weights that sum to one over each segment.

    Example:
        >>> scores = torch.tensor([3.0, 0.0, 3.0, 1000.0])
        >>> segment_softmax(scores, torch.tensor([0, 1, 0, 2]), 3).tolist()
        [0.5, 1.0, 0.5, 1.0]
    """
    top = scores.new_zeros(count).scatter_reduce(0, segment, scores.detach(), "amax", include_self=False)
    # Subtract the maximum of the segment, so that the exponentials cannot overflow.
    fractions = (scores - top[segment]).exp()
    return fractions / segment_sum(fractions, segment, count)[segment]


def number_groups(
    x: Float[Tensor, "batch *site"], window: int | None, granularity: Granularity
) -> Int[Tensor, "1 *site"]:
    """Number the groups of the sites of a sample.

    Args:
        x: Tensor that gives the shape.
        window: Positions of a group along each axis of positions; None for single steps of a series and features of
            a table, and for an eighth of the longer side of an image.
        granularity: "position" for groups with all numbers of their positions, "element" for one group for each
            feature or channel.

    Returns:
        The number of its group for each site, from 0 without gaps.

    Example:
        >>> number_groups(torch.zeros(1, 3, 2), 2, "position").tolist()
        [[[0, 0], [0, 0], [1, 1]]]
        >>> number_groups(torch.zeros(1, 3, 2), None, "element").tolist()
        [[[0, 1], [2, 3], [4, 5]]]
    """
    axis, sizes = shared_axis(x), x.shape[1:]
    side = max(size for i, size in enumerate(sizes, 1) if i != axis)
    window = window or (-(-side // CELLS) if x.ndim > 3 else 1)
    groups = torch.zeros((1,) * x.ndim, dtype=torch.int64)
    for i, size in enumerate(sizes, 1):
        width = window if i != axis else (1 if granularity == "element" else size)
        cell = torch.arange(size) // width
        shape = [1] * x.ndim
        shape[i] = size
        groups = groups * (int(cell[-1]) + 1) + cell.reshape(shape)
    return groups.to(x.device)


def divide_evenly(values: Float[Tensor, "batch *site"], groups: Int[Tensor, "1 *site"]) -> Float[Tensor, "batch *site"]:
    """Divide the value of each group equally among its sites, so that the map sums to the sum over groups.

    Args:
        values: Value of its group at each site.
        groups: Group numbers of `number_groups`.

    Returns:
        The divided values.

    Example:
        >>> divide_evenly(torch.tensor([[6.0, 6.0, 5.0]]), torch.tensor([[0, 0, 1]])).tolist()
        [[3.0, 3.0, 5.0]]
    """
    return values / groups.flatten().bincount()[groups]
