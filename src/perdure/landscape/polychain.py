"""The polygonal chain between two points, bent to where the loss is low."""

from __future__ import annotations

import torch

from perdure.landscape.bend import Bend, learned_bend
from perdure.landscape.path import Chain
from perdure.landscape.surface import Surface
from perdure.ops.params import Params

__all__ = ["polychain"]


def polychain(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: Bend | None = None
) -> Chain:
    """Learn a low-loss chain of two straight pieces between two points.

    Both pieces get the same attention while the bend is learned, however long they are.

    Args:
        surface: gives the gradients.
        first: where it starts.
        second: where it ends.
        generator: the stream of shares and samples.
        settings: how to learn the bend; None for the defaults.

    Returns:
        The chain.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    bend = learned_bend(surface, (first, second), _parts, settings or Bend(), generator)
    return Chain((first, bend, second))


def _parts(t: float) -> tuple[float, float, float]:
    return max(0.0, 1 - 2 * t), 1 - abs(2 * t - 1), max(0.0, 2 * t - 1)
