"""Consistency of explanations with predictions: MeGe and ReCo of several runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import fmean
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import EmptyDataError
from perdure.core.estimate import Estimate
from perdure.core.resources import map_threads
from perdure.ops.bootstrap import FEWEST
from perdure.ops.consistency import mean_generalizability, relative_consistency
from perdure.ops.correlation import spearman
from perdure.stability.agreement import NULL, RunExplanations, compare_in_parts, find_equal_predictions
from perdure.stability.null import Shuffle, shuffle_types
from perdure.stability.vectors import Vectors

__all__ = ["Consistency", "measure_consistency", "spearman_distance"]

RESAMPLED = 500
"""Number of bootstrap draws."""

Statistic = Callable[[Tensor, Tensor, Tensor], float]
"""From distances, whether predictions are alike, and weights to one number."""


@dataclass(frozen=True)
class Consistency:
    """MeGe and ReCo, with how many comparisons they rest on.

    Args:
        mege: Mean generalizability; None when no two runs are right about the same sample.
        reco: Relative consistency; None when all runs predict alike, as it compares with pairs that do not.
        alike: Comparisons of two runs that are both right about a sequence.
        unlike: Comparisons of two runs of which one is right.
    """

    mege: Estimate | None
    reco: Estimate | None
    alike: int
    unlike: int


class _Distances(NamedTuple):
    """Distances with the pair of runs, as its place in a table, and whether they predict alike."""

    distance: Tensor
    alike: Tensor
    pair: Tensor


def spearman_distance(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    r"""Give the distance of the paper, for which opposite orders are as near as equal ones.

    .. math:: \delta = \sqrt{1 - |\rho|}

    Args:
        a: Values of one run, (sample, type).
        b: Values of another run.
        mask: True for the types that occur.

    Returns:
        One distance per sample, in [0, 1].

    Reference:
        fel2022how

    Example:
        >>> up, everywhere = torch.tensor([[1.0, 2.0, 3.0]]), torch.ones(1, 3, dtype=torch.bool)
        >>> spearman_distance(up, -up, everywhere).item(), spearman_distance(up, torch.ones(1, 3), everywhere).item()
        (0.0, 1.0)
    """
    return (1 - spearman(a, b, mask).abs()).clamp_min(0).sqrt()


def measure_consistency(
    runs: Sequence[RunExplanations],
    label: Int[Tensor, " sample"],
    generator: torch.Generator,
    shuffle: Shuffle = shuffle_types,
    draws: int = 5,
) -> Consistency:
    """Measure MeGe and ReCo of an ensemble, by the Spearman distance.

    Compared are two runs on a sequence of two or more types that at least one of them predicts rightly: alike when
    both do, unlike when one does.

    Args:
        runs: Two or more runs that explain the same sequences.
        label: Class of each sequence.
        generator: Generator of the null and of the bootstrap.
        shuffle: Shuffle for the null, `shuffle_types` or the stricter `shuffle_samples`.
        draws: Number of shuffles of each run.

    Returns:
        Both, between null and ceiling. The ceiling of ReCo is 1, as a run never contradicts itself.

    Raises:
        EmptyDataError: with fewer than two runs, or when none of them is right about any sequence.
        ShapeError: If the runs are not of the same sequences.

    Reference:
        fel2022how

    Notes:
        The paper compares models trained on different folds, on samples that one of them was not trained on. Here runs
        differ by their seed; explain sequences that no run was trained with.

    Example:
        >>> values, types = torch.tensor([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]), torch.ones(2, 3, dtype=torch.bool)
        >>> runs = [RunExplanations(Vectors(values, types), torch.tensor([0, 1]))] * 3
        >>> measure_consistency(runs, torch.tensor([0, 1]), torch.Generator()).mege.value
        1.0
    """
    check_counts(draws=draws)
    find_equal_predictions(runs)  # checks that they can be compared
    views = [run.vectors for run in runs]
    result = _measure_distances(runs, views, label)
    if not len(result.distance):
        raise EmptyDataError("no run is right about a sequence", "train the models, and check the labels")
    few = [_take_first(run, NULL) for run in runs]
    own = [run.vectors for run in few]
    nulls = [
        _measure_distances(few, [shuffle(vectors, generator) for vectors in own], label[:NULL]) for _ in range(draws)
    ]
    selves = torch.cat([_measure_self_distances(run, label) for run in runs])
    everyone = torch.ones_like(selves)
    best = mean_generalizability(selves, everyone.bool(), everyone)
    times = _resample_runs(len(runs), generator)
    mege = _estimate("MeGe", mean_generalizability, result, nulls, times, best)
    reco = _estimate("ReCo", relative_consistency, result, nulls, times, 1.0)
    return Consistency(mege, reco, int(result.alike.sum()), int((~result.alike).sum()))


def _measure_distances(runs: Sequence[RunExplanations], nulls: Sequence[Vectors], label: Tensor) -> _Distances:
    """Measure the distance of run i to the other vectors of run j, for all i < j."""
    present = runs[0].vectors.present
    right = torch.stack([run.predicted == label for run in runs]).cpu() & (present.sum(1) > 1).cpu()
    ours = torch.stack([run.vectors.values for run in runs])
    same = all(run.vectors is other for run, other in zip(runs, nulls, strict=True))
    theirs = ours if same else torch.stack([other.values for other in nulls])
    above = torch.ones(len(runs), len(runs)).triu(1).bool()[..., None]
    parts = []
    for part, rho in compare_in_parts(spearman, ours, theirs, present):
        item, both = right[:, None, part] | right[:, part], right[:, None, part] & right[:, part]
        kept = item & above
        first, second, _ = kept.nonzero(as_tuple=True)
        pair = first * len(runs) + second
        parts.append(_Distances((1 - rho[kept].abs()).clamp_min(0).sqrt(), both[kept], pair))
    result = _Distances(*(torch.cat(part) for part in zip(*parts, strict=True)))
    order = result.distance.argsort()
    return _Distances(*(column[order] for column in result))  # so that no draw has to sort


def _take_first(run: RunExplanations, count: int) -> RunExplanations:
    return RunExplanations(Vectors(run.vectors.values[:count], run.vectors.present[:count]), run.predicted[:count])


def _measure_self_distances(run: RunExplanations, label: Tensor) -> Tensor:
    """Measure the distance of a run to itself with other noise."""
    item, again = run.vectors, run.again
    kept = (run.predicted == label) & (item.present.sum(1) > 1)
    if again is None:
        return torch.zeros(int(kept.sum()), dtype=torch.float64)
    return spearman_distance(item.values[kept], again.values[kept], item.present[kept]).cpu()


def _resample_runs(runs: int, generator: torch.Generator) -> Tensor:
    """Draw runs with replacement, and count how often each is in a draw."""
    index = torch.randint(runs, (RESAMPLED, runs), generator=generator, device=generator.device).cpu()
    return torch.nn.functional.one_hot(index, runs).sum(1).double()


def _estimate(
    name: str,
    statistic: Statistic,
    result: _Distances,
    nulls: Sequence[_Distances],
    times: Tensor,
    ceiling: float,
) -> Estimate | None:
    def value(distances: _Distances) -> float:
        return statistic(distances.distance, distances.alike, torch.ones_like(distances.distance))

    def resample(draw: Tensor) -> float:
        weight = (draw[:, None] * draw).flatten().index_select(0, result.pair)
        return statistic(result.distance, result.alike, weight)

    null, runs, interval = fmean(value(other) for other in nulls), times.shape[1], None
    if isnan(value(result)) or isnan(null):
        return None
    drawn = torch.tensor(list(map_threads(resample, times)))
    drawn = drawn[~drawn.isnan()].double()
    if runs >= FEWEST and len(drawn):
        low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=drawn.dtype)).tolist()
        interval = low, high
    return Estimate(value(result), null, ceiling, interval, runs, name, higher_is_better=True)
