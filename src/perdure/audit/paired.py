"""Paired comparison of the methods of a panel on the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from perdure.core.estimate import Estimate
from perdure.core.metric import Score
from perdure.core.random import stream
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.paired import compare_by_sign_flips, correct_by_holm

__all__ = ["combine_scores", "estimate_paired", "find_ties"]

CURVES = ("insertion", "deletion")
"""Metrics in units of the target."""

SMALLEST = 1e-9
"""Distance of null and ceiling that scores are divided by at least."""


def combine_scores(panel: Mapping[str, Mapping[str, Score]]) -> dict[str, Tensor]:
    """Combine the faithfulness of each sample in one number per method, so that methods can be compared in pairs.

    Each metric is brought to a scale on which a random map has 0 and the best map of the panel about 1, and the mean of
    the metrics is taken. Insertion and deletion are in units of the target and have a common scale: where nearly every
    map keeps the prediction in one of them, it does not decide.

    Args:
        panel: Scores of insertion, deletion and sensitivity-n of the same samples, by method and metric.

    Returns:
        One number per sample by method.
    """
    metrics = tuple(next(iter(panel.values()))) if panel else ()
    nulls = {name: torch.stack([_uniform(scores[name]) for scores in panel.values()]).mean(0) for name in metrics}
    ways = {name: _find_way([scores[name] for scores in panel.values()], nulls[name]) for name in metrics}
    curves = [name for name in CURVES if name in ways]
    scales = {**ways, **{name: ways[name].sign() * _mean(ways[curve].abs() for curve in curves) for name in curves}}
    return {
        method: _mean((scores[name].values.double() - nulls[name]) / _keep_from_zero(scales[name]) for name in metrics)
        for method, scores in panel.items()
    }


def _find_way(scores: Sequence[Score], null: Tensor) -> Tensor:
    """Find the largest way from the mean null to a ceiling."""
    ways = torch.stack([score.ceiling.double().mean() - null.mean() for score in scores])
    return ways[ways.abs().argmax()]


def _mean(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(0)


def _keep_from_zero(scale: Tensor) -> Tensor:
    return torch.where(scale.abs() < SMALLEST, SMALLEST, scale)


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
