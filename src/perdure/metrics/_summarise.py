"""Average a score over samples."""

from __future__ import annotations

import torch

from perdure.core.estimate import Estimate
from perdure.core.metric import Score
from perdure.ops.bootstrap import bootstrap_interval

__all__ = ["summarise"]


def summarise(score: Score, generator: torch.Generator) -> Estimate:
    """Average a score over its samples.

    Args:
        score: Score of one or more samples.
        generator: Generator of the bootstrap.

    Returns:
        The mean over samples with its 95 % bootstrap interval.

    Example:
        >>> score = Score("auroc", torch.full((4,), 0.75), torch.full((4,), 0.5), torch.ones(4))
        >>> estimate = summarise(score, torch.Generator())
        >>> estimate.value, estimate.interval, estimate.n
        (0.75, (0.75, 0.75), 4)
    """
    low, high = bootstrap_interval(score.values, generator)
    value, null, ceiling = (part.mean().item() for part in (score.values, score.null, score.ceiling))
    uniform = score.aux["uniform"].mean().item() if "uniform" in score.aux else None
    interval = (low.item(), high.item())
    return Estimate(value, null, ceiling, interval, len(score.values), score.metric, uniform=uniform, p=score.p)
