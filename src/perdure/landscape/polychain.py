"""The polygonal chain between two points, bent to where the loss is low."""

from __future__ import annotations

from functools import partial

import torch

from perdure.landscape.bend import Bend, learned_bends
from perdure.landscape.path import Chain
from perdure.landscape.surface import Surface
from perdure.ops.params import Params

__all__ = ["polychain"]


def polychain(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: Bend | None = None
) -> Chain:
    """Learn a low-loss chain of straight pieces between two points: one more than it has bends.

    All pieces get the same attention while the bends are learned, however long they are.

    Args:
        surface: gives the gradients.
        first: where it starts.
        second: where it ends.
        generator: the stream of shares and samples.
        settings: how to learn the bends; None for the defaults.

    Returns:
        The chain.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    settings = settings or Bend()
    return Chain(learned_bends(surface, (first, second), partial(_hats, settings.bends + 1), settings, generator))


def _hats(pieces: int, t: float) -> tuple[float, ...]:
    """Give the hat functions of a chain: each point is met by its own alone."""
    return tuple(max(0.0, 1 - abs(pieces * t - k)) for k in range(pieces + 1))
