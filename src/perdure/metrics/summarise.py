"""A score in five numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from perdure.core.trial import Score
from perdure.ops.interval import bootstrap_interval

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True)
class Summary:
    """The mean of a score over samples, between null and ceiling.

    Args:
        mean: of the samples' values.
        low: lower end of the 95 % bootstrap interval of the mean.
        high: upper end.
        null: mean of what random maps score.
        ceiling: mean of what the true map, or the best possible one, scores.
    """

    mean: float
    low: float
    high: float
    null: float
    ceiling: float


def summarise(score: Score, generator: torch.Generator) -> Summary:
    """Average a score over its samples.

    Args:
        score: of one or more samples.
        generator: the stream of the bootstrap.

    Returns:
        The summary.

    Example:
        >>> score = Score("roc", torch.full((4,), 0.75), torch.full((4,), 0.5), torch.ones(4))
        >>> summarise(score, torch.Generator())
        Summary(mean=0.75, low=0.75, high=0.75, null=0.5, ceiling=1.0)
    """
    low, high = bootstrap_interval(score.values, generator)
    means = (part.mean().item() for part in (score.values, score.null, score.ceiling))
    mean, null, ceiling = means
    return Summary(mean, low.item(), high.item(), null, ceiling)
