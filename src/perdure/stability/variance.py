"""Variance of explanations by sequence, method, training run and chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from perdure.core.errors import EmptyDataError, ShapeError
from perdure.ops.correlation import mean_ranks
from perdure.ops.variance import variance_components
from perdure.stability.vectors import Vectors

__all__ = ["split_variance"]


def split_variance(vectors: Mapping[str, Sequence[Vectors]]) -> dict[tuple[str, ...], float]:
    """Split the variance of the ranks of event types among methods and runs.

    Values of different methods have no common unit, so each is replaced by its rank among the types of its sequence,
    centred and scaled to variance 1 when no two are tied. A *site* is one type in one sequence. The components are

    - site: what all methods and runs agree on;
    - method, site: differences between methods that all runs have;
    - run, site: what all methods see change from one training run to the next, so the model itself;
    - method, run, site: what changes for single methods, and noise.

    As ranks have the same mean in every sequence, the other components are zero or slightly below.

    Args:
        vectors: Vectors of two or more runs by each of two or more methods, runs in one order, of the same sequences.

    Returns:
        The components of variance by the names of their factors; `variance_fractions` returns their fractions.

    Raises:
        EmptyDataError: If no sequence has two types.
        ShapeError: If the runs or sequences of two methods differ.
        SettingError: with a single method or run.

    Example:
        >>> from perdure.ops.variance import variance_fractions
        >>> up, all_of = torch.arange(12.0).reshape(3, 4), torch.ones(3, 4, dtype=torch.bool)
        >>> result = split_variance({"a": [Vectors(up, all_of)] * 3, "b": [Vectors(up.exp(), all_of)] * 3})
        >>> variance_fractions(result)["site",]
        1.0
    """
    if not vectors:
        raise EmptyDataError("there is no method", "pass the vectors of at least two methods, by name")
    every = [run for runs in vectors.values() for run in runs]
    same = len({len(runs) for runs in vectors.values()}) == 1
    if not every or not same or not all(torch.equal(run.present, every[0].present) for run in every):
        raise ShapeError(
            "the methods do not explain the same sequences of the same runs",
            "explain one batch by each method with each run",
        )
    several = every[0].present.sum(1) > 1
    if not several.any():
        raise EmptyDataError("no sequence has two event types", "there is nothing to rank: use longer sequences")
    table = [torch.stack([_standardise_ranks(run, several) for run in runs]) for runs in vectors.values()]
    return variance_components(torch.stack(table), ("method", "run", "site"))


def _standardise_ranks(vectors: Vectors, several: Tensor) -> Tensor:
    values, present = vectors.values[several], vectors.present[several]
    count = present.sum(1, keepdim=True).double()
    ranks = (mean_ranks(values, present) - (count + 1) / 2) / ((count.square() - 1) / 12).sqrt()
    return ranks[present]
