"""Null models of agreement: vectors with the same event types present and shuffled values."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from perdure.core.resources import single_thread
from perdure.stability.vectors import Vectors

__all__ = ["Shuffle", "shuffle_samples", "shuffle_types"]

Shuffle = Callable[[Vectors, torch.Generator], Vectors]


def shuffle_types(vectors: Vectors, generator: torch.Generator) -> Vectors:
    """Shuffle the values of each sequence among the event types that occur in it.

    What is kept: the types of each sequence and its values. What is lost: which type has which value. Agreement above
    this null means that runs find the same types important, perhaps the same ones for every sequence.

    Args:
        vectors: Vectors of one run.
        generator: Generator of the draw.

    Returns:
        The shuffled vectors.

    Example:
        >>> vectors = Vectors(torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[True, False, True]]))
        >>> shuffle_types(vectors, torch.Generator().manual_seed(0)).values.sort().values.tolist()
        [[0.0, 1.0, 2.0]]
    """
    return Vectors(_shuffle_rows(vectors.values, vectors.present, generator), vectors.present)


def shuffle_samples(vectors: Vectors, generator: torch.Generator) -> Vectors:
    """Shuffle the values of each event type among the sequences in which it occurs.

    What is kept: the types of each sequence and how the values of each type are distributed. What is lost: which
    sequence has which value. Agreement above this null, the stricter one, means that runs agree on single sequences.

    Args:
        vectors: Vectors of one run.
        generator: Generator of the draw.

    Returns:
        The shuffled vectors.

    Example:
        >>> vectors = Vectors(torch.tensor([[1.0], [0.0], [2.0]]), torch.tensor([[True], [False], [True]]))
        >>> shuffle_samples(vectors, torch.Generator().manual_seed(0)).values[1].item()
        0.0
    """
    return Vectors(_shuffle_rows(vectors.values.T, vectors.present.T, generator).T.contiguous(), vectors.present)


@single_thread()
def _shuffle_rows(rows: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    """Shuffle the valid values of each row; other values keep their positions."""
    keys = torch.rand(rows.shape, generator=generator, device=generator.device).to(rows.device)
    places = mask.int().argsort(dim=1, descending=True, stable=True)
    taken = (keys + ~mask).argsort(dim=1)
    moved = torch.empty_like(rows).scatter_(1, places, rows.gather(1, taken))
    return torch.where(mask, moved, rows)
