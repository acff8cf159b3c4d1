"""Bootstrap intervals of a mean."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import EmptyDataError, SettingError

__all__ = ["bootstrap_interval"]

ROWS = 2**20
"""Numbers that are drawn and averaged at once."""


def bootstrap_interval(
    values: Float[Tensor, "sample *point"], generator: torch.Generator, draws: int = 2000, level: float = 0.95
) -> tuple[Float[Tensor, "*point"], Float[Tensor, "*point"]]:
    """Give the percentile bootstrap interval of the mean over samples.

    Samples are drawn with replacement, whole: further axes, such as the points of a curve, are resampled
    together, and each gets its own interval.

    Args:
        values: one number, or one row of numbers, per sample.
        generator: the stream of the draws.
        draws: resampled means.
        level: the share of these means between low and high.

    Returns:
        Low and high, shaped like the mean.

    Raises:
        EmptyDataError: without samples.
        SettingError: when the level is not between 0 and 1, or without draws.

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
    means = torch.cat([_resampled_means(rows, count, generator) for count in parts])
    low, high = means.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=means.dtype).to(means), dim=0)
    return low.reshape(values.shape[1:]), high.reshape(values.shape[1:])


def _resampled_means(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    index = torch.randint(len(rows), (count, len(rows)), generator=generator, device=generator.device)
    return rows[index.to(rows.device)].mean(1)
