"""All agreement statistics of the runs of one method."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from perdure.core.estimate import Estimate
from perdure.core.random import stream
from perdure.ops.bootstrap import pair_mean
from perdure.ops.similarity import SIMILARITIES, Similarity, top_similarity
from perdure.stability.agreement import (
    Agreement,
    RunExplanations,
    estimate_interval,
    find_equal_predictions,
    measure_cluster_agreement,
    measure_sample_agreement,
)
from perdure.stability.clusters import adjusted_mutual_information, adjusted_rand
from perdure.stability.consistency import measure_consistency
from perdure.stability.vectors import SUMMED

__all__ = [
    "choose_similarities",
    "compare_clusters",
    "compare_samples",
    "estimate_consistency",
    "estimate_equal_predictions",
]


def choose_similarities(method: str, top: int) -> tuple[Similarity, ...]:
    """Choose the measures that compare two explanations of a sample by a method.

    Attention has no sign to compare and is a distribution; other maps have signs and are none. The top types are those
    with the largest absolute values.

    Args:
        method: Registry name with settings.
        top: Number of top types.

    Returns:
        The similarities.

    Example:
        >>> [similarity.name for similarity in choose_similarities("attention", 3)]
        ['Spearman', 'Kendall', 'top-3 Jaccard', 'cosine', 'Jensen-Shannon']
    """
    own = ("cosine", "Jensen-Shannon") if method.partition(":")[0] in SUMMED else ("sign agreement", "cosine")
    orders = SIMILARITIES["Spearman"], SIMILARITIES["Kendall"], top_similarity(top)
    return (*orders, *(SIMILARITIES[name] for name in own))


def compare_samples(runs: Sequence[RunExplanations], similarity: Similarity, seed: int) -> Agreement:
    """Compare the explanations of each sample by two runs.

    Args:
        runs: Explanations by one method.
        similarity: Similarity of two maps.
        seed: Seed for null and bootstrap.

    Returns:
        The agreement.
    """
    return measure_sample_agreement(runs, similarity, stream(seed, "agreement", similarity.name))


def compare_clusters(runs: Sequence[RunExplanations], count: int, seed: int) -> list[Agreement]:
    """Compare the clusters of samples of two runs.

    Args:
        runs: Explanations by one method.
        count: Number of clusters.
        seed: Seed for null and bootstrap.

    Returns:
        The adjusted Rand index and the adjusted mutual information.
    """
    both = {"ARI": adjusted_rand, "AMI": adjusted_mutual_information}
    return list(measure_cluster_agreement(runs, count, stream(seed, "clusters"), both).values())


def estimate_consistency(runs: Sequence[RunExplanations], label: Tensor, seed: int) -> list[Estimate]:
    """Measure MeGe and ReCo.

    Args:
        runs: Explanations by one method.
        label: Class of each sample.
        seed: Seed for null and bootstrap.

    Returns:
        The numbers; without ReCo when all runs predict alike, as it compares with pairs that do not.
    """
    result = measure_consistency(runs, label, stream(seed, "consistency"))
    return [estimate for estimate in (result.mege, result.reco) if estimate is not None]


def estimate_equal_predictions(runs: Sequence[RunExplanations], seed: int) -> Agreement:
    """Measure how often two runs predict alike, between the chance level and one.

    Args:
        runs: Explanations by any method.
        seed: Seed for the bootstrap.

    Returns:
        The number, whose null is what runs score that give every class as often but to other samples, and its table.
    """
    pairs = find_equal_predictions(runs).double().mean(2)
    classes = 1 + max(int(run.predicted.max()) for run in runs)
    frequency = torch.stack([run.predicted.bincount(minlength=classes) / len(run.predicted) for run in runs]).double()
    interval, null = estimate_interval(pairs, stream(seed, "alike")), pair_mean(frequency @ frequency.T)
    estimate = Estimate(pair_mean(pairs), null, 1.0, interval, len(runs), "predicted alike", higher_is_better=True)
    return Agreement(estimate, pairs)
