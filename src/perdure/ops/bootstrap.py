"""Bootstrap intervals of means over samples, and of means and correlations over pairs of runs."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.errors import EmptyDataError, SettingError, ShapeError
from perdure.ops.correlation import mean_ranks

__all__ = ["bootstrap_interval", "pair_correlation", "pair_interval", "pair_mean"]

ROWS = 2**20
"""Numbers that are drawn and averaged at once, to bound the memory."""

FEWEST = 3
"""Number of things (runs) that an interval needs; two make a single pair, which does not vary."""

CORRELATED = 5
"""Different pairs that a resampled correlation needs; of fewer, one is often perfect by chance."""


def bootstrap_interval(
    values: Float[Tensor, "sample *point"], generator: torch.Generator, draws: int = 2000, level: float = 0.95
) -> tuple[Float[Tensor, "*point"], Float[Tensor, "*point"]]:
    """Return the percentile bootstrap interval of the mean over samples.

    Samples are drawn with replacement, whole: further axes, such as the points of a curve, are resampled
    together, and each gets its own interval.

    Args:
        values: Number, or row of numbers, of each sample.
        generator: Random stream of the draws.
        draws: Number of resampled means.
        level: Fraction of these means between low and high.

    Returns:
        Low and high, shaped like the mean.

    Raises:
        EmptyDataError: Without samples.
        SettingError: When the level is not between 0 and 1, or without draws.

    Reference:
        efron1979bootstrap

    Example:
        >>> low, high = bootstrap_interval(torch.full((8,), 3.0), torch.Generator())
        >>> low.item(), high.item()
        (3.0, 3.0)
    """
    if len(values) == 0:
        raise EmptyDataError("there is no value to resample", "pass one value per sample, for at least one sample")
    if not 0 < level < 1 or draws < 1:
        raise SettingError(f"level={level} with draws={draws}", "give a level such as 0.95 and at least one draw")
    rows = values.flatten(1) if values.ndim > 1 else values[:, None]
    at_once = max(1, ROWS // rows.numel())
    parts = (min(at_once, draws - start) for start in range(0, draws, at_once))
    means = torch.cat([_resample_means(rows, count, generator) for count in parts])
    low, high = means.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=means.dtype).to(means), dim=0)
    return low.reshape(values.shape[1:]), high.reshape(values.shape[1:])


def pair_mean(pairs: Float[Tensor, "thing thing"]) -> float:
    """Average over the pairs of different things.

    Args:
        pairs: Symmetric table; NaN for pairs without a number, the diagonal is not read.

    Returns:
        The mean.

    Raises:
        ShapeError: When the table is not square.
        EmptyDataError: When no pair has a number.

    Example:
        >>> pair_mean(torch.tensor([[9.0, 1.0, 2.0], [1.0, 9.0, torch.nan], [2.0, torch.nan, 9.0]]))
        1.5
    """
    return pairs[_find_known(pairs)].double().mean().item()


def pair_interval(
    pairs: Float[Tensor, "thing thing"], generator: torch.Generator, draws: int = 2000, level: float = 0.95
) -> tuple[float, float] | None:
    r"""Return the percentile bootstrap interval of the mean over pairs, with the things drawn again, not the pairs.

    Pairs with a common thing depend on each other, so whole things are drawn with replacement; with a thing drawn
    :math:`n_i` times the mean is

    .. math:: \sum_{i<j} n_i n_j x_{ij} \Big/ \sum_{i<j} n_i n_j

    A thing and its copy are no pair, and draws of a single thing are left out.

    Args:
        pairs: Same as in `pair_mean`.
        generator: Random stream of the draws.
        draws: Number of resampled means.
        level: Fraction of these means between low and high.

    Returns:
        Low and high; None for fewer than three things.

    Raises:
        SettingError: When the level is not between 0 and 1, or without draws.
        ShapeError: When the table is not square.
        EmptyDataError: When no pair has a number.

    Reference:
        efron1979bootstrap

    Notes:
        Like every percentile interval it is too narrow for few things. Where pairs vary with their things, one of 95 %
        holds the mean in 80 to 86 of 100 experiments with 5 things, in 85 to 90 with 10, and in 90 to 91 with 20.

    Example:
        >>> pair_interval(torch.full((5, 5), 0.25), torch.Generator())
        (0.25, 0.25)
    """
    if not 0 < level < 1 or draws < 1:
        raise SettingError(f"level={level} with draws={draws}", "give a level such as 0.95 and at least one draw")
    known, things = _find_known(pairs), len(pairs)
    if things < FEWEST:
        return None
    times = _draw_counts(things, draws, generator)
    result = pairs.double().masked_fill(~known, 0.0).cpu()
    sums, counts = (torch.einsum("di,ij,dj->d", times, table, times) for table in (result, known.double().cpu()))
    return _quantiles((sums / counts)[counts > 0], level)


def pair_correlation(
    a: Float[Tensor, "thing thing"], b: Float[Tensor, "thing thing"], generator: torch.Generator, draws: int = 2000
) -> tuple[float, tuple[float, float] | None]:
    """Correlate the ranks of two numbers over the pairs that have both, with the interval over things.

    As in `pair_interval` whole things are drawn again; a draw weights the pairs, whose ranks stay.

    Args:
        a: Symmetric table; NaN for pairs without a number, the diagonal is not read.
        b: Symmetric table of the same things.
        generator: Random stream of the draws.
        draws: Number of resampled correlations; those of fewer than five different pairs are left out, or of equal
            ones.

    Returns:
        Spearman's correlation, NaN where a number is the same for all pairs; and its 95 % interval, None when
        less than half of the draws can be used.

    Raises:
        ShapeError: When a table is not square.
        EmptyDataError: When no pair has both numbers.

    Reference:
        spearman1904proof

    Example:
        >>> a = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
        >>> round(pair_correlation(a, -a, torch.Generator())[0], 6)
        -1.0
    """
    first, second = (_find_known(a + b).triu()).nonzero(as_tuple=True)
    everywhere = torch.ones(1, len(first), dtype=torch.bool)
    x, y = (mean_ranks(table[first, second].cpu()[None], everywhere)[0] for table in (a, b))
    times = _draw_counts(len(a), draws, generator)
    weight = times[:, first] * times[:, second]
    result = _weighted_correlation(x, y, weight[(weight > 0).sum(1) >= CORRELATED])
    known = result[~result.isnan()]
    interval = _quantiles(known, 0.95) if 2 * len(known) > draws else None
    return float(_weighted_correlation(x, y, torch.ones_like(x)[None])), interval


def _weighted_correlation(x: Tensor, y: Tensor, weight: Float[Tensor, "draw pair"]) -> Float[Tensor, " draw"]:
    """Correlate numbers with the weights of each draw."""
    fraction = weight / weight.sum(1, keepdim=True)
    x, y = (values - (fraction @ values)[:, None] for values in (x, y))
    sizes = (fraction * x.square()).sum(1) * (fraction * y.square()).sum(1)
    result = (fraction * x * y).sum(1) / sizes.sqrt()
    return torch.where(sizes > torch.finfo(sizes.dtype).eps, result.clamp(-1.0, 1.0), torch.nan)


def _draw_counts(things: int, draws: int, generator: torch.Generator) -> Float[Tensor, "draw thing"]:
    """Draw things with replacement, and count how often each is in a draw."""
    index = torch.randint(things, (draws, things), generator=generator, device=generator.device).cpu()
    return torch.nn.functional.one_hot(index, things).sum(1).double()


def _quantiles(values: Tensor, level: float) -> tuple[float, float]:
    low, high = values.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=values.dtype)).tolist()
    return low, high


def _find_known(pairs: Tensor) -> Bool[Tensor, "thing thing"]:
    if pairs.ndim != 2 or pairs.shape[0] != pairs.shape[1]:
        raise ShapeError(f"the pairs have shape {tuple(pairs.shape)}", "pass one row and one column for each thing")
    known = ~pairs.isnan() & ~torch.eye(len(pairs), dtype=torch.bool, device=pairs.device)
    if not known.any():
        raise EmptyDataError(
            f"no pair of {len(pairs)} has a number", "compare at least two runs that predict alike for some samples"
        )
    return known


def _resample_means(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    index = torch.randint(len(rows), (count, len(rows)), generator=generator, device=generator.device)
    return rows[index.to(rows.device)].mean(1)
