"""Effect of remedies: agreement of mean explanations, and of models with averaged weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import comb
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from perdure.core.abilities import Architecture
from perdure.core.batch import slice_batch
from perdure.core.check import check_counts
from perdure.core.errors import EmptyDataError, SettingError, UnsupportedError
from perdure.core.estimate import Estimate, write_estimate
from perdure.core.random import stream
from perdure.core.spec import slug
from perdure.data._splits import Splits
from perdure.engine.pool import Engine
from perdure.landscape.align import align
from perdure.landscape.surface import ModelLoss
from perdure.landscape.symmetry import UnitLayer, find_symmetries
from perdure.ops.correlation import spearman
from perdure.ops.params import interpolate, params_of
from perdure.ops.similarity import Measure, as_similarity
from perdure.stability.agreement import RunExplanations, find_equal_predictions, measure_sample_agreement
from perdure.stability.explain_runs import ExplainRunsJob, count_types, explain_runs
from perdure.stability.members import EnsembleMember
from perdure.stability.null import Shuffle, shuffle_types
from perdure.stability.vectors import Vectors
from perdure.training.checkpoint import is_whole, load_checkpoint, save_checkpoint
from perdure.training.predict import accuracy

__all__ = ["average_vectors", "average_weights", "measure_mean_agreement", "measure_remedies"]

SPLITS = 50
"""Largest number of ways to divide the runs into two groups."""


def average_vectors(vectors: Sequence[Vectors]) -> Vectors:
    r"""Average the explanations of several runs with equal weights.

    .. math:: \bar v = \frac1n \sum_i v_i / \|v_i\|

    Gradients of different runs differ in size; without the division the run with the largest would dominate.

    Args:
        vectors: Vectors of the same sequences.

    Returns:
        The mean.

    Example:
        >>> both = torch.ones(1, 2, dtype=torch.bool)
        >>> runs = [Vectors(torch.tensor([[9.0, 0.0]]), both), Vectors(torch.tensor([[0.0, 1.0]]), both)]
        >>> average_vectors(runs).values.tolist()
        [[0.5, 0.5]]
    """
    return replace(vectors[0], values=torch.stack([_normalise(run.values) for run in vectors]).mean(0))


def measure_mean_agreement(
    runs: Sequence[RunExplanations],
    size: int,
    measure: Measure,
    generator: torch.Generator,
    shuffle: Shuffle = shuffle_types,
) -> Estimate:
    """Compare the mean explanations of two disjoint groups of runs.

    With size 1 these are pairs of runs, to compare larger groups with. Only sequences that all runs predict alike are
    compared, so that every mean explains the same class and every size is measured on the same sequences.

    Args:
        runs: At least twice as many runs as the size, of the same sequences.
        size: Runs of a group.
        measure: Similarity, as in `measure_sample_agreement`.
        generator: Generator of groups and null.
        shuffle: Shuffle for the null.

    Returns:
        The mean over ways to choose two groups of runs, of n samples. Its interval holds 95 % of single ways, which
        share runs, so it is no interval of the mean. The ceiling is the score of a mean and that of the same runs with
        other noise.

    Raises:
        SettingError: If there are too few runs for two groups.
        EmptyDataError: If no sequence of two types is predicted alike by all runs.

    Example:
        >>> from perdure.ops.correlation import spearman
        >>> vectors = Vectors(torch.arange(40.0).reshape(8, 5), torch.ones(8, 5, dtype=torch.bool))
        >>> runs = [RunExplanations(vectors, torch.tensor([0] * 8))] * 4
        >>> result = measure_mean_agreement(runs, 2, spearman, torch.Generator())
        >>> result.value, result.ceiling, result.n
        (1.0, 1.0, 8)
    """
    check_counts(size=size)
    if 2 * size > len(runs):
        raise SettingError(f"{len(runs)} runs for two groups of {size}", "train more runs, or average fewer")
    present = runs[0].vectors.present
    kept = find_equal_predictions(runs).flatten(0, 1).all(0) & (present.sum(1) > 1)
    if not kept.any():
        raise EmptyDataError("no sequence is predicted alike by all runs", "leave out the runs that predict otherwise")
    own = [_select(run.vectors, kept) for run in runs]
    again = [own[i] if run.again is None else _select(run.again, kept) for i, run in enumerate(runs)]
    shuffled = [shuffle(run, generator) for run in own]

    def compare(first: Sequence[Vectors], second: Sequence[Vectors]) -> float:
        a, b = average_vectors(first).values, average_vectors(second).values
        return measure(a, b, present[kept]).double().mean().item()

    scores, nulls, selves = [], [], []
    for single, other in _yield_groups(len(runs), size, generator):
        scores.append(compare([own[i] for i in single], [own[i] for i in other]))
        nulls.append(compare([own[i] for i in single], [shuffled[i] for i in other]))
        selves.append(compare([own[i] for i in single], [again[i] for i in single]))
    low, high = torch.tensor(scores).quantile(torch.tensor([0.025, 0.975])).tolist()
    return Estimate(
        fmean(scores),
        fmean(nulls),
        fmean(selves),
        (low, high),
        int(kept.sum()),
        as_similarity(measure).name,
        higher_is_better=as_similarity(measure).higher_is_better,
    )


def _yield_groups(runs: int, size: int, generator: torch.Generator) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Yield all pairs of disjoint groups when they are few, otherwise random ones."""
    if comb(runs, size) * comb(runs - size, size) // 2 <= SPLITS:
        for single in combinations(range(runs), size):
            rest = [i for i in range(runs) if i not in single]
            yield from ((single, other) for other in combinations(rest, size) if single < other)
        return
    for _ in range(SPLITS):
        order = torch.randperm(runs, generator=generator).tolist()
        yield order[:size], order[size : 2 * size]


def _select(vectors: Vectors, kept: Tensor) -> Vectors:
    return Vectors(vectors.values[kept], vectors.present[kept])


def _normalise(values: Tensor) -> Tensor:
    size = torch.linalg.vector_norm(values, dim=1, keepdim=True)
    return values / torch.where(size > 0, size, 1.0)


NORMALISED = 1000
"""Number of training samples to estimate statistics of batch normalisation."""


def average_weights(runs: Sequence[EnsembleMember], splits: Splits, folder: Path) -> dict[str, Path]:
    """Average the weights of the first and second run, of the third and fourth, and so on.

    Args:
        runs: Runs of an ensemble; a last one without a partner is left out.
        splits: Their data.
        folder: Folder of the averaged models.

    Returns:
        The folders of the averaged models by name; none when their symmetries are not known, when architectures
        differ, or for fewer than four runs, as there would be no two to compare.
    """
    layers = _find_layers(runs[0].model)
    config = runs[0].config  # None for a model without a checkpoint
    if layers is None or config is None or len(runs) < 4 or any(run.config != config for run in runs):
        return {}
    pairs = zip(runs[::2], runs[1::2], strict=False)
    return {f"{a.name} with {b.name}": _average_pair(a, b, config, layers, splits, folder) for a, b in pairs}


def _average_pair(
    first: EnsembleMember,
    second: EnsembleMember,
    config: Architecture,
    layers: Sequence[UnitLayer],
    splits: Splits,
    folder: Path,
) -> Path:
    place = folder / slug(f"{first.name} with {second.name}")
    if not is_whole(place):
        single = params_of(first.model)
        moved = align(single, params_of(second.model), layers).params
        surface = ModelLoss(first.model, slice_batch(splits.train, slice(0, NORMALISED)))
        model = surface.model_at(interpolate(single, moved, 0.5))
        save_checkpoint(place, model, config, splits, {"of": [first.name, second.name]})
    return place


def _find_layers(model: nn.Module) -> tuple[UnitLayer, ...] | None:
    try:
        return find_symmetries(model)
    except UnsupportedError:
        return None


FEWEST = 4
"""Smallest number of runs with two groups of more than one."""


def measure_remedies(
    explanations: Mapping[str, Sequence[RunExplanations]],
    runs: Sequence[EnsembleMember],
    work: ExplainRunsJob,
    splits: Splits,
    workers: int | Engine = 1,
) -> list[dict[str, Any]]:
    """Measure for each method how much better means of runs agree than single runs do, by rank correlation.

    Args:
        explanations: Explanations of each run by method.
        runs: Runs.
        work: Job that explained them.
        splits: Their data.
        workers: Number of processes, or an engine.

    Returns:
        One entry per method and remedy; none for fewer than four runs.
    """
    if len(runs) < FEWEST:
        return []
    means = [entry for method, part in explanations.items() for entry in _measure_means(method, part, work.seed)]
    return means + _measure_averaged_weights(runs, work, splits, workers)


def _measure_means(method: str, runs: Sequence[RunExplanations], seed: int) -> list[dict[str, Any]]:
    """Compare means of 1, 2, 4, ... runs, on the samples that all runs predict alike."""
    sizes = [2**power for power in range(len(runs)) if 2 ** (power + 1) <= len(runs)]
    try:
        result = [measure_mean_agreement(runs, size, spearman, stream(seed, "mean", size)) for size in sizes]
    except EmptyDataError:  # no sample is predicted alike by all runs, and means would explain different classes
        return []
    return [
        {"method": method, "remedy": _name_remedy(size), "number": write_estimate(estimate)}
        for size, estimate in zip(sizes, result, strict=True)
    ]


def _name_remedy(size: int) -> str:
    return "one run" if size == 1 else f"mean of {size} runs"


def _measure_averaged_weights(
    runs: Sequence[EnsembleMember],
    work: ExplainRunsJob,
    splits: Splits,
    workers: int | Engine,
) -> list[dict[str, Any]]:
    """Explain models with averaged weights, where it is known how to align them."""
    pairs = average_weights(runs, splits, work.place / "averaged")
    if not pairs:
        return []
    models = (load_checkpoint(folder, work.config)[0].to(work.device) for folder in pairs.values())
    right = [accuracy(model, splits.test) for model in models]
    averaged = explain_runs(
        replace(work, runs=tuple(pairs.items()), place=work.place / "averaged"), count_types(splits), workers
    )
    return [
        {
            "method": method,
            "remedy": "averaged weights",
            "number": write_estimate(measure_sample_agreement(part, spearman, stream(work.seed, "averaged")).estimate),
            "accuracy": sum(right) / len(right),
        }
        for method, part in averaged.items()
    ]
