"""The straight line between two points."""

from __future__ import annotations

from perdure.landscape.path import Chain
from perdure.ops.params import Params

__all__ = ["linear"]


def linear(first: Params, second: Params) -> Chain:
    """Lay the straight line.

    Args:
        first: where it starts.
        second: where it ends.

    Returns:
        The path (1 - t) first + t second.

    Raises:
        ShapeError: when the two do not fit.

    Reference:
        goodfellow2015qualitatively

    Example:
        >>> import torch
        >>> linear({"w": torch.tensor([0.0])}, {"w": torch.tensor([8.0])}).at(0.25)["w"].item()
        2.0
    """
    return Chain((first, second))
