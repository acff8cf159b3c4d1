"""Numbers for pairs of things, such as the agreement of two runs: their mean and its interval over the things."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.errors import EmptyDataError, SettingError, ShapeError

__all__ = ["pair_interval", "pair_mean"]

FEWEST = 3
"""Things that an interval needs; two make a single pair, which does not vary when they are resampled."""


def pair_mean(pairs: Float[Tensor, "thing thing"]) -> float:
    """Average over the pairs of different things.

    Args:
        pairs: a symmetric table; NaN for pairs without a number, the diagonal is not read.

    Returns:
        The mean.

    Raises:
        ShapeError: when the table is not square.
        EmptyDataError: when no pair has a number.

    Example:
        >>> pair_mean(torch.tensor([[9.0, 1.0, 2.0], [1.0, 9.0, torch.nan], [2.0, torch.nan, 9.0]]))
        1.5
    """
    return pairs[_known(pairs)].double().mean().item()


def pair_interval(
    pairs: Float[Tensor, "thing thing"], generator: torch.Generator, draws: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    r"""Give the percentile bootstrap interval of the mean over pairs, with the things drawn again, not the pairs.

    Pairs that share a thing depend on each other, so whole things are drawn with replacement; with a thing drawn
    :math:`n_i` times the mean is

    .. math:: \sum_{i<j} n_i n_j x_{ij} \Big/ \sum_{i<j} n_i n_j

    A thing beside its own copy is no pair, and draws of one thing alone are left out.

    Args:
        pairs: as in `pair_mean`.
        generator: the stream of the draws.
        draws: resampled means.
        level: the share of these means between low and high.

    Returns:
        Low and high; NaN for fewer than three things.

    Raises:
        SettingError: when the level is not between 0 and 1, or without draws.
        ShapeError: when the table is not square.
        EmptyDataError: when no pair has a number.

    Reference:
        efron1979bootstrap

    Notes:
        Like every percentile interval it is too narrow for few things. Where pairs vary with their things, one of 95 %
        holds the mean in 80 to 86 of 100 experiments with 5 things, in 85 to 90 with 10, and in 90 to 91 with 20.

    Example:
        >>> low, high = pair_interval(torch.full((5, 5), 0.25), torch.Generator())
        >>> low, high
        (0.25, 0.25)
    """
    if not 0 < level < 1 or draws < 1:
        raise SettingError(f"level={level} with draws={draws}", "give a level such as 0.95 and at least one draw")
    known, things = _known(pairs), len(pairs)
    if things < FEWEST:
        return torch.nan, torch.nan
    index = torch.randint(things, (draws, things), generator=generator, device=generator.device).cpu()
    times = torch.nn.functional.one_hot(index, things).sum(1).double()
    found = pairs.double().masked_fill(~known, 0.0).cpu()
    sums, counts = (torch.einsum("di,ij,dj->d", times, table, times) for table in (found, known.double().cpu()))
    means = (sums / counts)[counts > 0]
    low, high = means.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=means.dtype)).tolist()
    return low, high


def _known(pairs: Tensor) -> Bool[Tensor, "thing thing"]:
    if pairs.ndim != 2 or pairs.shape[0] != pairs.shape[1]:
        raise ShapeError(f"the pairs have shape {tuple(pairs.shape)}", "pass one row and one column for each thing")
    known = ~pairs.isnan() & ~torch.eye(len(pairs), dtype=torch.bool, device=pairs.device)
    if not known.any():
        raise EmptyDataError(
            f"no pair of {len(pairs)} has a number", "compare at least two runs that predict alike for some samples"
        )
    return known
