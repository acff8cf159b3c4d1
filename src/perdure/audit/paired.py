"""Paired comparison of the methods of a panel on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor

from perdure.core.estimate import Estimate
from perdure.core.metric import Score
from perdure.core.random import stream
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.paired import compare_by_sign_flips, correct_by_holm

__all__ = ["combine_scores", "estimate_paired", "find_ties"]

SMALLEST = 1e-9
"""Distance of null and ceiling that scores are divided by at least."""


def combine_scores(panel: Mapping[str, Mapping[str, Score]]) -> dict[str, Tensor]:
    """Combine the faithfulness of each sample in one number per method, so that methods can be compared in pairs.

    Each metric is brought to a common scale, on which a random map has 0 and the best map of the panel about 1, and
    the mean of the metrics is taken.

    Args:
        panel: Scores of insertion, deletion and sensitivity-n of the same samples, by method and metric.

    Returns:
        One number per sample by method.
    """
    metrics = next(iter(panel.values())) if panel else {}
    parts: dict[str, list[Tensor]] = {method: [] for method in panel}
    for metric in metrics:
        scores = {method: panel[method][metric] for method in panel}
        null = torch.stack([_uniform(score) for score in scores.values()]).mean(0)  # the same for all methods
        way = torch.stack([score.ceiling.double().mean() - null.mean() for score in scores.values()])
        scale = way[way.abs().argmax()]
        scale = torch.where(scale.abs() < SMALLEST, SMALLEST, scale)
        for method, score in scores.items():
            parts[method].append((score.values.double() - null) / scale)
    return {method: torch.stack(values).mean(0) for method, values in parts.items()}


def _uniform(score: Score) -> Tensor:
    """Return the scores of uniform random maps, to which maps of any texture can be compared."""
    return score.aux.get("uniform", score.null).double()


def find_ties(combined: Mapping[str, Tensor], seed: int) -> dict[str, tuple[str, ...]]:
    """Find the methods that cannot be distinguished, by sign-flip tests of all pairs with Holm's correction.

    Args:
        combined: Faithfulness of each sample by method.
        seed: Seed of the tests.

    Returns:
        For each method those that it cannot be distinguished from, at 5 % for the panel as a whole.

    Example:
        >>> better = {"a": torch.full((20,), 0.9), "b": torch.full((20,), 0.9), "random": torch.zeros(20)}
        >>> find_ties(better, 0)["a"]
        ('b',)
    """
    pairs = list(combinations(combined, 2))
    if not pairs:
        return dict.fromkeys(combined, ())
    differences = torch.stack([combined[a] - combined[b] for a, b in pairs], 1)
    differs = correct_by_holm(compare_by_sign_flips(differences, stream(seed, "ties")))
    tied = {pair for pair, different in zip(pairs, differs.tolist(), strict=True) if not different}
    return {name: tuple(other for other in combined if {(name, other), (other, name)} & tied) for name in combined}


def estimate_paired(combined: Tensor, seed: int) -> Estimate:
    """Estimate the mean of the combined faithfulness of a method.

    Args:
        combined: Number of each sample, from `combine_scores`.
        seed: Seed of the bootstrap.

    Returns:
        The mean with its interval, between a random map and the best map.
    """
    low, high = bootstrap_interval(combined, stream(seed, "bootstrap", "paired"))
    interval = low.item(), high.item()
    name = "faithfulness"
    return Estimate(combined.mean().item(), 0.0, 1.0, interval, len(combined), name, higher_is_better=True)
