"""Copies of an input with some sites replaced: windows that slide over it, or its first sites in some order."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["occlude", "renumber_changes", "replace_first", "tile_index", "window_count", "window_cover"]


def window_count(size: Tensor | int, window: int, stride: int) -> Tensor:
    """Count the windows that cover an axis; the last may extend past its end.

    Args:
        size: Number of sites of the axis.
        window: Number of sites in a window.
        stride: Sites from one window to the next.

    Returns:
        The count, one where the window is as large as the axis or larger.

    Example:
        >>> window_count(5, 2, 2).item()
        3
    """
    left = (torch.as_tensor(size) - window).clamp_min(0)
    return (left + stride - 1).div(stride, rounding_mode="floor") + 1


def window_cover(size: int, window: int, stride: int) -> Bool[Tensor, "window site"]:
    """Mark the sites of each window along an axis.

    Args:
        size: Number of sites of the axis.
        window: Number of sites in a window.
        stride: Sites from one window to the next, at most `window`.

    Returns:
        True where a window covers a site; every site is covered.

    Example:
        >>> window_cover(5, 2, 2).int().tolist()
        [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
    """
    first = torch.arange(int(window_count(size, window, stride)))[:, None] * stride
    site = torch.arange(size)
    return (site >= first) & (site < first + window)


def occlude(
    x: Float[Tensor, "batch *site"], baseline: Float[Tensor, "batch *site"], covers: list[Bool[Tensor, "copies _"]]
) -> Float[Tensor, "copies batch *site"]:
    """Copy the inputs, each with one window at the baseline.

    Args:
        x: Inputs.
        baseline: Baseline, shaped like x.
        covers: Sites of each copy's window along each site axis; the window is their product.

    Returns:
        The copies.

    Example:
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> occlude(x, torch.zeros_like(x), [window_cover(3, 1, 1)]).tolist()
        [[[0.0, 2.0, 3.0]], [[1.0, 0.0, 3.0]], [[1.0, 2.0, 0.0]]]
    """
    window = torch.ones([len(covers[0])] + [1] * x.ndim, dtype=torch.bool, device=x.device)
    for axis, cover in enumerate(covers, start=2):
        shape = [1] * window.ndim
        shape[0], shape[axis] = cover.shape
        window = window & cover.to(x.device).reshape(shape)
    return torch.where(window, baseline, x)


def replace_first(
    start: Float[Tensor, "batch *site"],
    end: Float[Tensor, "batch *site"],
    rank: Int[Tensor, "batch *site"],
    counts: Int[Tensor, "*copies batch"],
) -> Float[Tensor, "*copies batch *site"]:
    """Copy inputs between two ends: sites of lowest rank are replaced first.

    Args:
        start: Inputs before.
        end: Inputs after, shaped like start.
        rank: Place of each site in the order; an axis of size 1 applies to all sites along it.
        counts: Number of places that each copy takes from `end`.

    Returns:
        The copies.

    Example:
        >>> start, end, rank = torch.zeros(1, 3), torch.ones(1, 3), torch.tensor([[2, 0, 1]])
        >>> replace_first(start, end, rank, torch.tensor([[0], [2]])).tolist()
        [[[0.0, 0.0, 0.0]], [[0.0, 1.0, 1.0]]]
    """
    return torch.where(rank < counts.reshape(*counts.shape, *[1] * (start.ndim - 1)), end, start)


def renumber_changes(
    start: Float[Tensor, "batch *site"],
    end: Float[Tensor, "batch *site"],
    rank: Int[Tensor, "batch *site"],
    counts: Int[Tensor, "batch point"],
) -> tuple[Int[Tensor, "batch *site"], Int[Tensor, "batch point"]]:
    """Number only the places where two inputs differ, so that equal counts of a sample mean equal copies.

    Args:
        start: Inputs before.
        end: Inputs after, shaped like start.
        rank: Place of each site in the order, as in `replace_first`.
        counts: Number of places that each copy takes from `end`.

    Returns:
        Rank and counts of the same copies, as if places without a difference took no number.

    Example:
        >>> start, end, rank = torch.zeros(1, 3), torch.tensor([[5.0, 0.0, 7.0]]), torch.tensor([[2, 0, 1]])
        >>> rank, counts = renumber_changes(start, end, rank, torch.tensor([[0, 1, 2, 3]]))
        >>> rank.tolist(), counts.tolist()
        ([[1, 0, 0]], [[0, 0, 1, 2]])
    """
    differs = (start != end).flatten(1).to(counts)
    place = rank.expand_as(start).flatten(1)
    changes = counts.new_zeros(len(counts), int(place.max()) + 2)
    before = changes.scatter_reduce(1, place + 1, differs, "amax").cumsum(1)
    return before.gather(1, rank.flatten(1)).view_as(rank), before.gather(1, counts)


def tile_index(sizes: tuple[int, ...], window: int) -> Int[Tensor, "*position"]:
    """Number the tiles that cover the positions side by side; the last along an axis may be cut off.

    Args:
        sizes: Positions along each axis.
        window: Positions along each side of a tile.

    Returns:
        The tile of each position, row by row.

    Example:
        >>> tile_index((3, 4), 2).tolist()
        [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3]]
    """
    index = torch.zeros((), dtype=torch.long)
    for size in sizes:
        index = index[..., None] * int(window_count(size, window, window)) + torch.arange(size) // window
    return index
