"""The batches of a training: shuffle_batches samples, or samples drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch

from perdure.core.batch import Batch, slice_batch

__all__ = ["BatchSource", "draw_batches", "shuffle_batches"]


@dataclass(frozen=True, eq=False)
class BatchSource:
    """A source of the batches of each epoch.

    Args:
        epoch: Function from a generator to the batches of one epoch, whose order or samples it draws.
        steps: Number of these batches.
        whole: All training samples; None when new ones are drawn.
    """

    epoch: Callable[[torch.Generator], Iterator[Batch]]
    steps: int
    whole: Batch | None = None


def shuffle_batches(batch: Batch, size: int, at_least: int = 1) -> BatchSource:
    """Shuffle samples anew in each epoch, with several passes where they are few.

    Args:
        batch: Training samples.
        size: Samples of one step; the last step of a pass may have fewer.
        at_least: Fewest steps of an epoch; as many passes are made as these need.

    Returns:
        The source.

    Example:
        >>> source = shuffle_batches(Batch(torch.zeros(5, 1), torch.arange(5)), 2)
        >>> labels = [part.label for part in source.epoch(torch.Generator().manual_seed(0))]
        >>> torch.cat(labels).sort().values.tolist(), source.steps
        ([0, 1, 2, 3, 4], 3)
    """
    plain = replace(batch, truth=None, event=None, text=())
    steps = -(-len(batch) // size)
    passes = -(-at_least // max(steps, 1))
    return BatchSource(partial(_shuffle, plain, size, passes), passes * steps, batch)


def draw_batches(draw: Callable[[int, torch.Generator], Batch], size: int, steps: int) -> BatchSource:
    """Draw new samples for each step, so that none can be memorised.

    Args:
        draw: Function that draws a number of samples from a generator.
        size: Samples of one step.
        steps: Steps that count as one epoch.

    Returns:
        The source.
    """
    return BatchSource(partial(_draw, draw, size, steps), steps)


def _shuffle(batch: Batch, size: int, passes: int, generator: torch.Generator) -> Iterator[Batch]:
    for _ in range(passes):
        for positions in torch.split(torch.randperm(len(batch), generator=generator), size):
            yield slice_batch(batch, positions)


def _draw(
    draw: Callable[[int, torch.Generator], Batch], size: int, steps: int, generator: torch.Generator
) -> Iterator[Batch]:
    for _ in range(steps):
        yield draw(size, generator)
