"""Positions: the steps of a series, the tokens of a text, the pixels of an image, with all their numbers."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.errors import ShapeError

__all__ = ["Granularity", "position_shape", "shared_axis", "to_positions", "to_sites", "valid_positions"]

Granularity = Literal["position", "element"]
"""Whether the numbers of one position are taken together or separately."""


def shared_axis(x: Float[Tensor, "batch *site"]) -> int | None:
    """Find the axis along which numbers share a position.

    Args:
        x: Table (batch, feature), series (batch, time, feature) or images (batch, channel, row, column).

    Returns:
        2 for series, 1 for images, None for a table, where each feature is a separate position.

    Raises:
        ShapeError: For any other rank.
    """
    if x.ndim not in (2, 3, 4):
        raise ShapeError(
            f"inputs have shape {tuple(x.shape)}",
            "pass (batch, feature), (batch, time, feature) or (batch, channel, row, column)",
        )
    return {2: None, 3: 2, 4: 1}[x.ndim]


def position_shape(x: Float[Tensor, "batch *site"]) -> tuple[int, ...]:
    """Return the shape of one number per position of a sample, so that it broadcasts over the sites.

    Args:
        x: Inputs.

    Returns:
        The shape of a sample, with 1 at the shared axis.

    Example:
        >>> import torch
        >>> position_shape(torch.zeros(8, 3, 4, 5)), position_shape(torch.zeros(8, 7, 2))
        ((1, 4, 5), (7, 1))
    """
    axis = shared_axis(x)
    return tuple(1 if i == axis else size for i, size in enumerate(x.shape) if i)


def to_positions(x: Float[Tensor, "batch *site"]) -> Float[Tensor, "batch *position"]:
    """Sum the numbers of each position.

    Args:
        x: Attribution map.

    Returns:
        (batch, time) for series, (batch, row, column) for images, the same for a table.

    Example:
        >>> import torch
        >>> to_positions(torch.tensor([[[1.0, 2.0], [3.0, -3.0]]])).tolist()
        [[3.0, 0.0]]
    """
    axis = shared_axis(x)
    return x if axis is None else x.sum(axis)


def to_sites(positions: Tensor, x: Float[Tensor, "batch *site"]) -> Tensor:
    """Repeat the value of a position for all its numbers.

    Args:
        positions: (*leading, batch, *position), as `to_positions` gives.
        x: Tensor that gives the shape of the sites.

    Returns:
        Shaped like x, with the leading axes before.

    Example:
        >>> import torch
        >>> to_sites(torch.tensor([[True, False]]), torch.zeros(1, 2, 2)).tolist()
        [[[True, True], [False, False]]]
    """
    axis = shared_axis(x)
    if axis is None:
        return positions
    leading = positions.ndim - x.ndim + 1
    return positions.unsqueeze(leading + axis).expand(*positions.shape[:leading], *x.shape)


def valid_positions(valid: Bool[Tensor, "batch *site"]) -> Bool[Tensor, "batch *position"]:
    """Mark the positions that are no padding.

    Args:
        valid: True at valid sites.

    Returns:
        True at valid positions.
    """
    axis = shared_axis(valid)
    return valid if axis is None else valid.any(axis)
