"""What averaging over runs buys: the agreement of means of disjoint groups of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from statistics import fmean

import torch
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import EmptyDataError, SettingError
from perdure.stability.agreement import Measure, Run, predicted_alike
from perdure.stability.null import Shuffle, shuffle_types
from perdure.stability.vectors import Vectors

__all__ = ["Averaged", "mean_agreement", "mean_vectors"]

SPLITS = 50
"""Ways to divide the runs into two groups, where there are more."""


@dataclass(frozen=True)
class Averaged:
    """The agreement of two means of explanations, between its null and its ceiling.

    Args:
        size: runs in each mean.
        mean: over the ways to choose two groups of runs.
        low: the 2.5 % quantile over these ways. They share runs, so this is where single values lie, no interval of
            the mean.
        high: the 97.5 % quantile.
        null: what means of shuffled explanations score.
        ceiling: what a mean scores beside that of the same runs with other noise.
        samples: sequences that all runs predict alike, on which this rests.
    """

    size: int
    mean: float
    low: float
    high: float
    null: float
    ceiling: float
    samples: int


def mean_vectors(vectors: Sequence[Vectors]) -> Vectors:
    r"""Average the explanations of several runs, each with the same say.

    .. math:: \bar v = \frac1n \sum_i v_i / \|v_i\|

    Gradients of different runs differ in size; without the division the run with the largest would speak for all.

    Args:
        vectors: of the same sequences.

    Returns:
        The mean.

    Example:
        >>> both = torch.ones(1, 2, dtype=torch.bool)
        >>> runs = [Vectors(torch.tensor([[9.0, 0.0]]), both), Vectors(torch.tensor([[0.0, 1.0]]), both)]
        >>> mean_vectors(runs).values.tolist()
        [[0.5, 0.5]]
    """
    return replace(vectors[0], values=torch.stack([_unit(one.values) for one in vectors]).mean(0))


def mean_agreement(
    runs: Sequence[Run], size: int, measure: Measure, generator: torch.Generator, shuffle: Shuffle = shuffle_types
) -> Averaged:
    """Compare the mean explanations of two disjoint groups of runs.

    With size 1 these are pairs of runs, to compare larger groups with. Only sequences that all runs predict alike are
    compared, so that every mean explains the same class and every size is measured on the same sequences.

    Args:
        runs: at least twice the size, of the same sequences.
        size: runs of a group.
        measure: as in `sample_agreement`.
        generator: the stream of groups and null.
        shuffle: the null.

    Returns:
        The agreement.

    Raises:
        SettingError: when there are too few runs for two groups.
        EmptyDataError: when no sequence of two types is predicted alike by all runs.

    Example:
        >>> from perdure.ops.correlation import spearman
        >>> vectors = Vectors(torch.arange(40.0).reshape(8, 5), torch.ones(8, 5, dtype=torch.bool))
        >>> runs = [Run(vectors, torch.tensor([0] * 8))] * 4
        >>> found = mean_agreement(runs, 2, spearman, torch.Generator())
        >>> found.mean, found.ceiling, found.samples
        (1.0, 1.0, 8)
    """
    check_counts(size=size)
    if 2 * size > len(runs):
        raise SettingError(f"{len(runs)} runs for two groups of {size}", "train more runs, or average fewer")
    present = runs[0].vectors.present
    kept = predicted_alike(runs).flatten(0, 1).all(0) & (present.sum(1) > 1)
    if not kept.any():
        raise EmptyDataError("no sequence is predicted alike by all runs", "leave out the runs that predict otherwise")
    own = [_some(run.vectors, kept) for run in runs]
    again = [own[i] if run.again is None else _some(run.again, kept) for i, run in enumerate(runs)]
    shuffled = [shuffle(one, generator) for one in own]

    def compared(first: Sequence[Vectors], second: Sequence[Vectors]) -> float:
        a, b = mean_vectors(first).values, mean_vectors(second).values
        return measure(a, b, present[kept]).double().mean().item()

    scores, nulls, selves = [], [], []
    for one, other in _groups(len(runs), size, generator):
        scores.append(compared([own[i] for i in one], [own[i] for i in other]))
        nulls.append(compared([own[i] for i in one], [shuffled[i] for i in other]))
        selves.append(compared([own[i] for i in one], [again[i] for i in one]))
    low, high = torch.tensor(scores).quantile(torch.tensor([0.025, 0.975])).tolist()
    return Averaged(size, fmean(scores), low, high, fmean(nulls), fmean(selves), int(kept.sum()))


def _groups(runs: int, size: int, generator: torch.Generator) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Give all pairs of disjoint groups where they are few, else some at random."""
    if comb(runs, size) * comb(runs - size, size) // 2 <= SPLITS:
        for one in combinations(range(runs), size):
            rest = [i for i in range(runs) if i not in one]
            yield from ((one, other) for other in combinations(rest, size) if one < other)
        return
    for _ in range(SPLITS):
        order = torch.randperm(runs, generator=generator).tolist()
        yield order[:size], order[size : 2 * size]


def _some(vectors: Vectors, kept: Tensor) -> Vectors:
    return Vectors(vectors.values[kept], vectors.present[kept])


def _unit(values: Tensor) -> Tensor:
    size = torch.linalg.vector_norm(values, dim=1, keepdim=True)
    return values / torch.where(size > 0, size, 1.0)
