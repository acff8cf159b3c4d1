"""Sources: where the batches of training come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch

from perdure.core.batch import Batch, select

__all__ = ["Source", "fresh", "shuffled"]


@dataclass(frozen=True, eq=False)
class Source:
    """Where the batches of an epoch come from.

    Args:
        epoch: gives the batches of one epoch, their order or their samples drawn from a generator.
        steps: the number of these batches.
        whole: all training samples; None when they are drawn afresh.
    """

    epoch: Callable[[torch.Generator], Iterator[Batch]]
    steps: int
    whole: Batch | None = None


def shuffled(batch: Batch, size: int, at_least: int = 1) -> Source:
    """Go through samples in a new random order in each epoch, several times where they are few.

    Args:
        batch: the training samples.
        size: samples of one step; the last step of a pass may have fewer.
        at_least: steps of an epoch; as many passes are made as these need.

    Returns:
        The source.

    Example:
        >>> source = shuffled(Batch(torch.zeros(5, 1), torch.arange(5)), 2)
        >>> drawn = [part.label for part in source.epoch(torch.Generator().manual_seed(0))]
        >>> torch.cat(drawn).sort().values.tolist(), source.steps
        ([0, 1, 2, 3, 4], 3)
    """
    plain = replace(batch, truth=None, event=None, text=())
    steps = -(-len(batch) // size)
    passes = -(-at_least // max(steps, 1))
    return Source(partial(_shuffled, plain, size, passes), passes * steps, batch)


def fresh(draw: Callable[[int, torch.Generator], Batch], size: int, steps: int) -> Source:
    """Draw new samples for each step, so that nothing can be learnt by heart.

    Args:
        draw: makes that many samples from a generator.
        size: samples of one step.
        steps: steps that count as one epoch.

    Returns:
        The source.
    """
    return Source(partial(_fresh, draw, size, steps), steps)


def _shuffled(batch: Batch, size: int, passes: int, generator: torch.Generator) -> Iterator[Batch]:
    for _ in range(passes):
        for positions in torch.split(torch.randperm(len(batch), generator=generator), size):
            yield select(batch, positions)


def _fresh(
    draw: Callable[[int, torch.Generator], Batch], size: int, steps: int, generator: torch.Generator
) -> Iterator[Batch]:
    for _ in range(steps):
        yield draw(size, generator)
