"""Performance and explanations of a model at points along a path, and how both change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from sklearn.metrics import f1_score
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.core.method import Method
from perdure.core.outputs import predict_classes
from perdure.core.random import stream
from perdure.core.target import Logit
from perdure.landscape.surface import ModelLoss
from perdure.models._embed import embed_batch
from perdure.ops.params import Params
from perdure.ops.sequence import lengths_of
from perdure.ops.similarity import Measure
from perdure.stability.agreement import SEED, RunExplanations, find_equal_predictions
from perdure.stability.clusters import adjusted_rand, cluster_vectors, match_clusters
from perdure.stability.null import Shuffle, shuffle_samples, shuffle_types
from perdure.stability.vectors import Vectors
from perdure.training.predict import predict

__all__ = [
    "ClusterFlow",
    "Drift",
    "Explainer",
    "PathPerformance",
    "compute_f1",
    "evaluate_along_path",
    "explain_along_path",
    "follow_clusters",
    "measure_drift",
]


@dataclass(frozen=True, eq=False)
class PathPerformance:
    """How well a model does along a path.

    Args:
        t: Fraction of the length at each point, from 0 to 1.
        loss: Mean loss of the samples that the path was found with, in nats.
        accuracy: Fraction of correct predictions.
        f1: Their F1 score, as `compute_f1` gives it.
        predicted: Class of each sample shown.
    """

    t: Float[Tensor, " point"]
    loss: Float[Tensor, " point"]
    accuracy: Float[Tensor, " point"]
    f1: Float[Tensor, " point"]
    predicted: Int[Tensor, "point sample"]


@dataclass(frozen=True, eq=False)
class Explainer:
    """How a model is explained wherever it is met.

    Args:
        method: Makes the method for a model: one that must see samples first sees them with this model.
        vectors: Makes vectors of an attribution of the batch, for example `event_vectors` with its types.
        seed: Seed for the random draws of the method; each point draws anew.
        store: Callback of the index of a point, its attribution, and the predicted classes; None to keep no maps.
    """

    method: Callable[[nn.Module], Method]
    vectors: Callable[[Attribution, Batch], Vectors]
    seed: int = 0
    store: Callable[[int, Attribution, Tensor], None] | None = None


def evaluate_along_path(surface: ModelLoss, points: Sequence[Params], batch: Batch) -> PathPerformance:
    """Measure how well the model does at points of a path.

    Args:
        surface: Loss that the path was found with.
        points: Points of the path at equal arc length: `space_evenly(path, count).points`.
        batch: Labelled samples.

    Returns:
        Loss, accuracy, F1 and predictions at each point.
    """
    pairs = [_predict(surface.model_at(point), batch) for point in points]
    predicted, classes = torch.stack([labels for labels, _ in pairs]), pairs[0][1]
    losses = torch.stack([surface.losses(point).double().mean() for point in points])
    right = (predicted == batch.label.cpu()).double().mean(1)
    scores = torch.tensor([compute_f1(labels, batch.label, classes) for labels in predicted], dtype=torch.float64)
    return PathPerformance(torch.linspace(0, 1, len(points), dtype=torch.float64), losses, right, scores, predicted)


def explain_along_path(
    surface: ModelLoss, points: Sequence[Params], batch: Batch, explainer: Explainer
) -> tuple[RunExplanations, ...]:
    """Explain the predicted class of each sample at points of a path.

    Args:
        surface: Loss that holds the model.
        points: Points of the path.
        batch: Samples.
        explainer: Method and pooling.

    Returns:
        The explanations at each point; those at both ends are repeated with other noise.
    """
    ends = (0, len(points) - 1)
    return tuple(
        _explain_point(surface.model_at(point), batch, explainer, k, k in ends) for k, point in enumerate(points)
    )


def compute_f1(predicted: Int[Tensor, " sample"], label: Int[Tensor, " sample"], classes: int) -> float:
    """Compute the F1 score of class 1 for two classes, otherwise the mean over classes.

    Args:
        predicted: Class of each sample.
        label: True class of each sample.
        classes: Number of classes.

    Returns:
        The harmonic mean of precision and recall; 0 where nothing of a class is right.

    Example:
        >>> round(compute_f1(torch.tensor([1, 1, 0, 0]), torch.tensor([1, 0, 0, 0]), 2), 4)
        0.6667
    """
    average = "binary" if classes == 2 else "macro"
    return float(f1_score(label.cpu(), predicted.cpu(), average=average, zero_division=0.0))


def _predict(model: nn.Module, batch: Batch) -> tuple[Int[Tensor, " sample"], int]:
    """Predict the class of each sample, and count the classes."""
    outputs = predict(model, batch).cpu()
    return predict_classes(model, outputs), max(2, outputs.shape[1])


def _explain_point(model: nn.Module, batch: Batch, explainer: Explainer, point: int, is_end: bool) -> RunExplanations:
    method, shown = explainer.method(model), embed_batch(model, batch)
    predicted = _predict(model, batch)[0]

    def vectors(use: str) -> Vectors:
        result = attribute(
            model,
            shown.inputs,
            method,
            target=Logit(predicted),
            lengths=lengths_of(batch.mask),
            generator=stream(explainer.seed, use, point),
        )
        result = replace(result, values=result.values.cpu())
        if use == "explain" and explainer.store is not None:
            explainer.store(point, result, predicted)
        return explainer.vectors(result, batch)

    return RunExplanations(vectors("explain"), predicted, vectors("again") if is_end else None)


@dataclass(frozen=True, eq=False)
class Drift:
    """How alike the explanations along a path are, over the samples that both points predict alike.

    Args:
        ends: Mean agreement of each point with the first and with the second end; NaN where no sample is left.
        neighbour: With the point before; NaN for the first.
        first: Agreement with the first end, sample by sample; NaN for those that are left out.
        null: Agreement of the first end with the shuffled explanations of the other points.
        ceiling: Agreement of an end with itself, explained with other noise.
    """

    ends: Float[Tensor, "point 2"]
    neighbour: Float[Tensor, " point"]
    first: Float[Tensor, "point sample"]
    null: float
    ceiling: float


@dataclass(frozen=True, eq=False)
class ClusterFlow:
    """The clusters of samples that are explained alike, along a path.

    Args:
        label: Cluster of each sample at each point, numbered as at the point before.
        ari: Adjusted Rand index of each point with first end, second end and the point before, over the samples that
            both predict alike; NaN where there are none, and for what is before the first.
        null: Index of the first end and shuffled explanations of the other points.
        ceiling: Index of an end and the same end with other noise and another seed of the clustering.
    """

    label: Int[Tensor, "point sample"]
    ari: Float[Tensor, "point 3"]
    null: float
    ceiling: float


def measure_drift(
    runs: Sequence[RunExplanations],
    measure: Measure,
    generator: torch.Generator,
    shuffle: Shuffle = shuffle_types,
    draws: int = 1,
) -> Drift:
    """Compare the explanations of each sample along a path.

    Only types that occur in a sample are compared, and samples with fewer than two of them are left out, as in
    `sample_agreement`.

    Args:
        runs: Explanations at each point of the path, from `explain_along_path`.
        measure: Similarity, for example `spearman`, `kendall` or `cosine` of `perdure.ops`.
        generator: Generator of the null.
        shuffle: Shuffle for the null, `shuffle_types` or the stricter `shuffle_samples`.
        draws: Number of shuffles of each point but the first.

    Returns:
        The drift.

    Raises:
        EmptyDataError: For a single point.
        ShapeError: If the points are not of the same samples.

    Example:
        >>> from perdure.ops.correlation import spearman
        >>> vectors = Vectors(torch.arange(40.0).reshape(8, 5), torch.ones(8, 5, dtype=torch.bool))
        >>> result = measure_drift([RunExplanations(vectors, torch.tensor([0] * 8))] * 3, spearman, torch.Generator())
        >>> result.ends.tolist(), result.ceiling, result.null < 0.5
        ([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], 1.0, True)
    """
    check_counts(draws=draws)
    alike, last = find_equal_predictions(runs), len(runs) - 1
    compare = partial(_compare_samples, measure, runs[0].vectors.present)
    values = [run.vectors.values for run in runs]
    first = torch.stack([compare(values[0], point, alike[0, k]) for k, point in enumerate(values)])
    second = torch.stack([compare(values[last], point, alike[last, k]) for k, point in enumerate(values)])
    before = [compare(values[k - 1], values[k], alike[k - 1, k]) for k in range(1, len(runs))]
    null = [
        compare(values[0], shuffle(runs[k].vectors, generator).values, alike[0, k])
        for _ in range(draws)
        for k in range(1, len(runs))
    ]
    selves = [compare(values[k], _repeat(runs[k]).values, alike[k, k]) for k in (0, last)]
    ends = torch.stack([first.nanmean(1), second.nanmean(1)], 1)
    neighbour = torch.cat([ends.new_full((1,), torch.nan), torch.stack(before).nanmean(1)])
    return Drift(ends, neighbour, first, _average(null), _average(selves))


def follow_clusters(
    runs: Sequence[RunExplanations], count: int, generator: torch.Generator, draws: int = 1
) -> ClusterFlow:
    """Cluster the samples by their explanations at each point of a path, and follow them.

    Args:
        runs: Explanations at each point of the path, from `explain_along_path`.
        count: Number of clusters; the paper has 2 along paths.
        generator: Generator of the null.
        draws: Number of shuffles of each point but the first.

    Returns:
        Clusters and their agreement.

    Raises:
        EmptyDataError: For a single point.
        ShapeError: If the points are not of the same samples.
        SettingError: If there are more clusters than samples.

    Reference:
        ger2020reproducibility

    Example:
        >>> values = torch.tensor([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.0, 5.1]])
        >>> runs = [RunExplanations(Vectors(values, torch.ones(4, 2, dtype=torch.bool)), torch.tensor([0] * 4))] * 3
        >>> result = follow_clusters(runs, 2, torch.Generator())
        >>> result.ari[2].tolist(), bool((result.label == result.label[0]).all())
        ([1.0, 1.0, 1.0], True)
    """
    check_counts(draws=draws)
    alike, last = find_equal_predictions(runs).cpu(), len(runs) - 1
    labels = [_cluster(runs[0].vectors, count)]
    for run in runs[1:]:
        labels.append(match_clusters(_cluster(run.vectors, count), labels[-1]))
    table = [
        [_compare(labels[k], labels[other], alike[k, other]) if other >= 0 else torch.nan for other in (0, last, k - 1)]
        for k in range(len(runs))
    ]
    null = [
        _compare(labels[0], _cluster(shuffle_samples(runs[k].vectors, generator), count), alike[0, k])
        for _ in range(draws)
        for k in range(1, len(runs))
    ]
    selves = [_compare(labels[k], _cluster(_repeat(runs[k]), count, SEED + 1), alike[k, k]) for k in (0, last)]
    ari = torch.tensor(table, dtype=torch.float64)
    return ClusterFlow(torch.stack(labels), ari, *(float(torch.tensor(part).nanmean()) for part in (null, selves)))


def _compare_samples(
    measure: Measure, present: Bool[Tensor, "sample type"], a: Tensor, b: Tensor, alike: Tensor
) -> Tensor:
    """Compare sample by sample; NaN for those that are not predicted alike, or have nothing to order."""
    kept = alike.to(present.device) & (present.sum(1) > 1)
    result = torch.full((len(present),), torch.nan, dtype=torch.float64)
    if kept.any():
        result[kept.cpu()] = measure(a[kept], b[kept], present[kept]).double().cpu()
    return result


def _repeat(run: RunExplanations) -> Vectors:
    return run.vectors if run.again is None else run.again


def _cluster(vectors: Vectors, count: int, seed: int = SEED) -> Tensor:
    return cluster_vectors(vectors.values, count, seed).label


def _compare(a: Tensor, b: Tensor, kept: Tensor) -> float:
    return adjusted_rand(a[kept], b[kept]) if kept.any() else torch.nan


def _average(scores: Sequence[Tensor]) -> float:
    return float(torch.stack(list(scores)).nanmean())
