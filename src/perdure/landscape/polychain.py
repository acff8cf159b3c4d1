"""The polygonal chain between two points, bent to where the loss is low."""

from __future__ import annotations

from functools import partial

import torch

from perdure.landscape.bend import Bend, Bending
from perdure.landscape.learned import learn
from perdure.landscape.path import Chain
from perdure.landscape.surface import Surface
from perdure.ops.params import Params

__all__ = ["polychain", "polychain_learner"]


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
    return learn(polychain_learner(surface, first, second, settings), generator)


def polychain_learner(surface: Surface, first: Params, second: Params, settings: Bend | None = None) -> Bending[Chain]:
    """Say how a low-loss chain is learned.

    Args:
        surface: gives the gradients.
        first: where it starts.
        second: where it ends.
        settings: how to learn the bends; None for the defaults.

    Returns:
        The learner, which can be cut and goes on.

    Raises:
        ShapeError: when the two ends do not fit.
    """
    settings = settings or Bend()
    return Bending(surface, (first, second), settings, partial(_hats, settings.bends + 1), Chain)


def _hats(pieces: int, t: float) -> tuple[float, ...]:
    """Give the hat functions of a chain: each point is met by its own alone."""
    return tuple(max(0.0, 1 - abs(pieces * t - k)) for k in range(pieces + 1))
