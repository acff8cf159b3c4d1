"""Agreement of the explanations of several training runs, between null and ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import EmptyDataError, ShapeError
from perdure.core.estimate import Estimate
from perdure.core.resources import map_threads
from perdure.ops.bootstrap import FEWEST, pair_interval, pair_mean
from perdure.ops.similarity import Measure, as_similarity, pack_valid
from perdure.stability.clusters import adjusted_rand, cluster_each_run
from perdure.stability.null import Shuffle, shuffle_samples, shuffle_types
from perdure.stability.vectors import Vectors

__all__ = [
    "FEW",
    "NULL",
    "Agreement",
    "Partitions",
    "RunExplanations",
    "compare_in_parts",
    "estimate_interval",
    "find_equal_predictions",
    "measure_cluster_agreement",
    "measure_sample_agreement",
]

Partitions = Callable[[Tensor, Tensor], float]
"""From two partitions to their agreement, as `adjusted_rand`."""

RAND: Mapping[str, Partitions] = MappingProxyType({"ARI": adjusted_rand})

FEW = 5
"""Number of runs below which a bootstrap interval over runs is too narrow."""

SEED = 10
"""Seed of clusterings, as in the published code; the ceiling uses the next one."""

NULL = 250
"""Largest number of samples for a null: over all pairs and draws the error of its mean is below 0.01."""


@dataclass(frozen=True, eq=False)
class RunExplanations:
    """Explanations of some sequences by one training run.

    Args:
        vectors: Explanation vectors.
        predicted: Predicted class of each sequence.
        again: Explanations of the same run with other noise; None for a method that draws none.
    """

    vectors: Vectors
    predicted: Int[Tensor, " sample"]
    again: Vectors | None = None


@dataclass(frozen=True, eq=False)
class Agreement:
    """The agreement of several runs.

    Args:
        estimate: Mean over pairs of runs. The null is the score of shuffled explanations, mean over draws; the ceiling
            is the score of a run and the same run with other noise or another seed of the clustering, mean over runs.
        pairs: Agreement of every pair of runs on the samples that both predict alike; NaN on the diagonal, and where
            there is no such sample.
    """

    estimate: Estimate
    pairs: Float[Tensor, "run run"]


def estimate_interval(pairs: Float[Tensor, "run run"], generator: torch.Generator) -> tuple[float, float] | None:
    """Return an interval of the mean over pairs of runs.

    A bootstrap interval from few runs is too narrow, so with fewer than five runs the interval spans all pairs; two
    runs are a single pair, whose spread is unknown.

    Args:
        pairs: Agreement of every pair of runs; the diagonal is not read, and NaN marks unknown pairs.
        generator: Generator of the bootstrap.

    Returns:
        The 95 % bootstrap interval over runs, the range of pairs of three or four runs, or None for two runs.
    """
    if len(pairs) < FEWEST:
        return None
    if len(pairs) >= FEW:
        return pair_interval(pairs, generator)
    known = pairs[~pairs.isnan() & ~torch.eye(len(pairs), dtype=torch.bool)]
    return known.min().item(), known.max().item()


def measure_sample_agreement(
    runs: Sequence[RunExplanations],
    measure: Measure,
    generator: torch.Generator,
    shuffle: Shuffle = shuffle_types,
    draws: int = 5,
) -> Agreement:
    """Compare the explanations of each sequence by two runs, and average over sequences and pairs.

    Only the types that occur in a sequence are compared, as others are zero in every run. Sequences with fewer than
    two of them are left out: there is nothing to order.

    Args:
        runs: Two or more runs that explain the same sequences.
        measure: Similarity, for example `spearman`, `kendall` or `cosine` of `perdure.ops`.
        generator: Generator of the null and of the bootstrap.
        shuffle: Shuffle for the null, `shuffle_types` or the stricter `shuffle_samples`.
        draws: Number of shuffles of each run.

    Returns:
        The agreement.

    Raises:
        EmptyDataError: with fewer than two runs, or when none predict alike.
        ShapeError: If the runs are not of the same sequences.

    Example:
        >>> from perdure.ops.correlation import spearman
        >>> vectors = Vectors(torch.arange(40.0).reshape(8, 5), torch.ones(8, 5, dtype=torch.bool))
        >>> runs = [RunExplanations(vectors, torch.tensor([0] * 8))] * 3
        >>> result = measure_sample_agreement(runs, spearman, torch.Generator()).estimate
        >>> result.value, result.interval, result.ceiling, result.null < 0.5
        (1.0, (1.0, 1.0), 1.0, True)
    """
    check_counts(draws=draws)
    alike, present = find_equal_predictions(runs), runs[0].vectors.present
    kept = alike & (present.sum(1) > 1).to(alike.device)
    values = torch.stack([run.vectors.values for run in runs])
    result = _average_samples(measure, values, values, present, kept)
    pairs, compared = _mirror(result), _find_compared(kept)
    own = [Vectors(run_values[compared], present[compared]) for run_values in values]
    nulls = []
    for _ in range(draws):
        shuffled = torch.stack([shuffle(vectors, generator).values for vectors in own])
        nulls.append(_average_samples(measure, values[:, compared], shuffled, present[compared], kept[..., compared]))
    again = [values[i] if run.again is None else run.again.values for i, run in enumerate(runs)]
    selves = [
        float(
            result[i, i]
            if same is values[i]
            else _average_samples(measure, entry[None], same[None], present, kept[i, i])
        )
        for i, (entry, same) in enumerate(zip(values, again, strict=True))
    ]
    similarity = as_similarity(measure)
    estimate = Estimate(
        pair_mean(pairs),
        fmean(pair_mean(_mirror(table)) for table in nulls),
        fmean(selves),
        estimate_interval(pairs, generator),
        len(runs),
        similarity.name,
        higher_is_better=similarity.higher_is_better,
    )
    return Agreement(estimate, pairs)


def _average_samples(
    measure: Measure,
    first: Float[Tensor, "run sample type"],
    second: Float[Tensor, "run sample type"],
    present: Bool[Tensor, "sample type"],
    kept: Bool[Tensor, "*pairs sample"],
) -> Float[Tensor, "*pairs"]:
    """Average over the samples to compare, for all pairs of runs."""
    sums = torch.zeros(kept.shape[:-1], dtype=torch.float64)
    for part, table in compare_in_parts(measure, first, second, present):
        sums += table.masked_fill(~kept[..., part].cpu(), 0.0).sum(-1).reshape(sums.shape)
    return sums / kept.sum(-1).cpu()


def _mirror(table: Float[Tensor, "run run"]) -> Float[Tensor, "run run"]:
    """Mirror the entries above the diagonal."""
    above = table.triu(1)
    return (above + above.T).fill_diagonal_(torch.nan)


def _find_compared(kept: Bool[Tensor, "run run sample"]) -> Int[Tensor, " chosen"]:
    """List samples that some pair of runs compares, for the null: so many give its mean more exactly than needed."""
    different = ~torch.eye(len(kept), dtype=torch.bool, device=kept.device)
    return kept[different].any(0).nonzero()[:NULL, 0]


def measure_cluster_agreement(
    runs: Sequence[RunExplanations],
    count: int,
    generator: torch.Generator,
    measures: Mapping[str, Partitions] = RAND,
    shuffle: Shuffle = shuffle_samples,
    draws: int = 5,
) -> dict[str, Agreement]:
    """Cluster the sequences by the explanations of each run, and compare the partitions of two runs.

    The ceiling is the same run, explained with other noise where its method draws any, and clustered from other seeds:
    where it is below 1, the clusters themselves are not settled. The null keeps the types of each sequence, from which
    clusters may follow without any explanation.

    Args:
        runs: Two or more runs that explain the same sequences.
        count: Number of clusters; `scan` of one run helps to choose it, the paper compares runs with 2.
        generator: Generator of the null and of the bootstrap.
        measures: Similarities of two partitions by name; `adjusted_rand` by default.
        shuffle: Shuffle for the null, `shuffle_samples` or `shuffle_types`.
        draws: Number of shuffles of each run.

    Returns:
        The agreement by each measure, all of the same partitions.

    Raises:
        EmptyDataError: with fewer than two runs, or when none predict alike.
        ShapeError: If the runs are not of the same sequences.
        SettingError: If there are more clusters than sequences.

    Reference:
        ger2020reproducibility

    Example:
        >>> values = torch.tensor([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.0, 5.1]])
        >>> runs = [RunExplanations(Vectors(values, torch.ones(4, 2, dtype=torch.bool)), torch.tensor([0] * 4))] * 3
        >>> result = measure_cluster_agreement(runs, 2, torch.Generator())["ARI"].estimate
        >>> result.value, result.ceiling
        (1.0, 1.0)
    """
    check_counts(draws=draws)
    alike = find_equal_predictions(runs)

    def labels(several: Sequence[Vectors], seed: int = SEED) -> list[Tensor]:
        return [
            clustering.label for clustering in cluster_each_run([vectors.values for vectors in several], count, seed)
        ]

    result = labels([run.vectors for run in runs])
    subset = torch.arange(len(alike[0, 0]))[: max(NULL, count)]
    own = [Vectors(run.vectors.values[subset], run.vectors.present[subset]) for run in runs]
    shuffled = [labels([shuffle(vectors, generator) for vectors in own]) for _ in range(draws)]
    again = labels([run.vectors if run.again is None else run.again for run in runs], SEED + 1)
    return {
        name: _estimate_partitions(_Labels(result, again, shuffled, subset), alike.cpu(), name, measure, generator)
        for name, measure in measures.items()
    }


class _Labels(NamedTuple):
    """The clusters of each run, once more, and those of shuffled explanations of some samples, draw by draw."""

    result: Sequence[Tensor]
    again: Sequence[Tensor]
    shuffled: Sequence[Sequence[Tensor]]
    subset: Tensor


def _estimate_partitions(
    labels: _Labels, alike: Bool[Tensor, "run run sample"], name: str, measure: Partitions, generator: torch.Generator
) -> Agreement:
    """Place the agreement of runs between that with shuffled runs and that of each with itself."""
    result, subset = labels.result, labels.subset
    pairs, few = _compare_pairs(result, result, alike, measure), [label[subset] for label in result]
    null = fmean(pair_mean(_compare_pairs(few, shuffled, alike[..., subset], measure)) for shuffled in labels.shuffled)
    selves = [measure(entry, same) for entry, same in zip(result, labels.again, strict=True)]
    interval = estimate_interval(pairs, generator)
    estimate = Estimate(pair_mean(pairs), null, fmean(selves), interval, len(result), name, higher_is_better=True)
    return Agreement(estimate, pairs)


def _compare_pairs(
    first: Sequence[Tensor], second: Sequence[Tensor], alike: Bool[Tensor, "run run sample"], measure: Partitions
) -> Float[Tensor, "run run"]:
    table = torch.full((len(first), len(first)), torch.nan, dtype=torch.float64)
    for i, j in combinations(range(len(first)), 2):
        if (kept := alike[i, j]).any():
            table[i, j] = table[j, i] = measure(first[i][kept], second[j][kept])
    return table


def find_equal_predictions(runs: Sequence[RunExplanations]) -> Bool[Tensor, "run run sample"]:
    """Find the sequences to which two runs give the same class.

    Args:
        runs: Two or more runs.

    Returns:
        True for each pair of runs and each sequence to which both give the same class.

    Raises:
        EmptyDataError: with fewer than two runs.
        ShapeError: If the runs are not of the same sequences.

    Example:
        >>> vectors = Vectors(torch.ones(2, 1), torch.ones(2, 1, dtype=torch.bool))
        >>> runs = [RunExplanations(vectors, torch.tensor([0, 1])), RunExplanations(vectors, torch.tensor([0, 0]))]
        >>> find_equal_predictions(runs)[0, 1].tolist()
        [True, False]
    """
    if len(runs) < 2:
        raise EmptyDataError(f"there are {len(runs)} runs to compare", "train at least two, better ten")
    present = runs[0].vectors.present
    for number, run in enumerate(runs):
        views = (run.vectors,) if run.again is None else (run.vectors, run.again)
        same = all(torch.equal(view.present, present) for view in views)
        if not same or run.predicted.shape != present.shape[:1]:
            raise ShapeError(
                f"run {number} does not explain the sequences of run 0",
                "explain the same batch with every run, and pass one predicted class for each sequence",
            )
    predicted = torch.stack([run.predicted for run in runs])
    return predicted[:, None] == predicted


NUMBERS = 2**19
"""Number of values compared at once."""


def compare_in_parts(
    measure: Measure,
    first: Float[Tensor, "run sample type"],
    second: Float[Tensor, "run sample type"],
    present: Bool[Tensor, "sample type"],
) -> Iterator[tuple[Int[Tensor, " chosen"], Float[Tensor, "run run chosen"]]]:
    """Compare runs with each other, some samples at a time; those with as many types go together.

    Args:
        measure: Similarity, as in `measure_sample_agreement`.
        first: Values of some runs.
        second: Values of as many runs; the same object for the same runs.
        present: True for the types that occur.

    Yields:
        Some samples, and the measure of all pairs of runs on each of them; below the diagonal what is above it, where
        the measure is not had of all pairs at once.
    """
    rows = max(1, NUMBERS // max(1, len(first) * present.shape[1]))
    parts = torch.split(present.sum(1).argsort(stable=True), rows)

    def table(part: Tensor) -> Tensor:
        mask, a, b = pack_valid(present[part], first[:, part], second[:, part])
        result: Tensor = as_similarity(measure).compare_all(a, a if first is second else b, mask).cpu()
        return result

    yield from zip(parts, map_threads(table, parts), strict=True)
