"""How well the runs of an ensemble agree by every measure, as numbers between null and ceiling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from perdure.core.random import stream
from perdure.core.verdict import Number
from perdure.ops.pairs import pair_interval, pair_mean
from perdure.ops.tables import ALL, Measure, tops
from perdure.stability.agreement import Agreement, Run, cluster_agreement, predicted_alike, sample_agreement
from perdure.stability.clusters import adjusted_mutual_information, adjusted_rand
from perdure.stability.consistency import Placed, consistency
from perdure.stability.vectors import SUMMED

__all__ = [
    "FEW",
    "Measured",
    "alike_number",
    "consistency_numbers",
    "measures",
    "number_of",
    "of_clusters",
    "of_samples",
]

FEW = 5
"""Runs below which an interval over runs is no more than a hint."""

Measured = tuple[Number, Tensor]
"""A number, and the table of pairs of runs behind it."""


def measures(method: str, top: int) -> dict[str, Measure]:
    """Choose the measures that compare two explanations of a sample by a method.

    Attention has no sign to compare and is a distribution; other maps have signs and are none. The top types are those
    with the largest absolute values.

    Args:
        method: as it was asked for, with settings.
        top: how many types are the top.

    Returns:
        The measures by name.

    Example:
        >>> list(measures("attention", 3))
        ['Spearman', 'Kendall', 'top-3 Jaccard', 'cosine', 'Jensen-Shannon']
    """
    own = ("cosine", "Jensen-Shannon") if method.partition(":")[0] in SUMMED else ("sign agreement", "cosine")
    orders = {name: ALL[name] for name in ("Spearman", "Kendall")}
    return {**orders, f"top-{top} Jaccard": tops(top), **{name: ALL[name] for name in own}}


def of_samples(runs: Sequence[Run], name: str, measure: Measure, seed: int) -> Measured:
    """Compare the explanations of each sample by two runs.

    Args:
        runs: of one method.
        name: of the measure.
        measure: the measure.
        seed: of null and bootstrap.

    Returns:
        The number and its table.
    """
    found = sample_agreement(runs, measure, stream(seed, "agreement", name))
    return number_of(name, found), found.pairs


def of_clusters(runs: Sequence[Run], count: int, seed: int) -> list[Measured]:
    """Compare the clusters of samples of two runs.

    Args:
        runs: of one method.
        count: of clusters.
        seed: of null and bootstrap.

    Returns:
        The adjusted Rand index and the adjusted mutual information.
    """
    both = {"ARI": adjusted_rand, "AMI": adjusted_mutual_information}
    found = cluster_agreement(runs, count, stream(seed, "clusters"), both)
    return [(number_of(name, one), one.pairs) for name, one in found.items()]


def consistency_numbers(runs: Sequence[Run], label: Tensor, seed: int) -> list[Number]:
    """Measure MeGe and ReCo.

    Args:
        runs: of one method.
        label: of each sample.
        seed: of null and bootstrap.

    Returns:
        The numbers; without ReCo when all runs predict alike, as it compares with pairs that do not.
    """
    found = consistency(runs, label, stream(seed, "consistency"))
    both = {"MeGe": found.mege, "ReCo": found.reco}
    return [_placed(name, one) for name, one in both.items() if one.value == one.value]


def alike_number(runs: Sequence[Run], seed: int) -> Measured:
    """Measure how often two runs predict alike, between the share by chance and one.

    Args:
        runs: of any method.
        seed: of the bootstrap.

    Returns:
        The number, whose null is what runs score that give every class as often but to other samples, and its table.
    """
    pairs = predicted_alike(runs).double().mean(2)
    classes = 1 + max(int(run.predicted.max()) for run in runs)
    share = torch.stack([run.predicted.bincount(minlength=classes) / len(run.predicted) for run in runs]).double()
    low, high = pair_interval(pairs, stream(seed, "alike"))
    null = pair_mean(share @ share.T)
    return number_of("predicted alike", Agreement(pairs, pairs, pair_mean(pairs), low, high, null, 1.0)), pairs


def number_of(name: str, found: Agreement) -> Number:
    """Make a number of an agreement.

    An interval from few runs is too narrow, so with fewer than five it goes from the lowest to the highest pair; two
    runs are one pair, for which all from null to ceiling stays possible.

    Args:
        name: of the measure.
        found: the agreement.

    Returns:
        The number, of which more is better when the ceiling lies above the null.
    """
    low, high = found.low, found.high
    if len(found.pairs) == 2:
        low, high = _widest(found.mean, found.null, found.ceiling)
    elif len(found.pairs) < FEW:
        known = found.pairs[~found.pairs.isnan() & ~torch.eye(len(found.pairs), dtype=torch.bool)]
        low, high = known.min().item(), known.max().item()
    better = name != "Jensen-Shannon"
    return Number(name, found.mean, low, high, found.null, found.ceiling, higher_is_better=better)


def _placed(name: str, found: Placed) -> Number:
    low, high = found.low, found.high
    if low != low:
        low, high = _widest(found.value, found.null, found.ceiling)
    return Number(name, found.value, low, high, found.null, found.ceiling, higher_is_better=True)


def _widest(*ends: float) -> tuple[float, float]:
    return min(ends), max(ends)
