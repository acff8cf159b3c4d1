"""Along a path: how well the model does at points of equal arc length, and how it explains there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from sklearn.metrics import f1_score
from torch import Tensor, nn

from perdure.attribution.attribute import attribute
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.protocols import Method
from perdure.core.random import stream
from perdure.core.target import Logit
from perdure.landscape.surface import ModelLoss
from perdure.models.embedded import embedded
from perdure.ops.params import Params
from perdure.ops.sequence import lengths_of
from perdure.stability.agreement import Run
from perdure.stability.vectors import Vectors
from perdure.training.predict import predict

__all__ = ["Course", "Explainer", "course", "explained", "f1"]


@dataclass(frozen=True, eq=False)
class Course:
    """How well a model does along a path.

    Args:
        t: the share of the length at each point, from 0 to 1.
        loss: the mean loss of the samples that the path was found with, in nats.
        accuracy: the share of the samples shown that are predicted right.
        f1: their F1 score, as `f1` gives it.
        predicted: the class of each sample shown.
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
        method: makes the method for a model: one that must see samples first sees them with this model.
        vectors: makes vectors of an attribution of the batch, for example `event_vectors` with its types.
        seed: of what the method draws; each point draws afresh.
    """

    method: Callable[[nn.Module], Method]
    vectors: Callable[[Attribution, Batch], Vectors]
    seed: int = 0


def course(surface: ModelLoss, points: Sequence[Params], batch: Batch) -> Course:
    """Measure how well the model does at points of a path.

    Args:
        surface: the loss that the path was found with.
        points: of the path, at equal arc length: `evenly(path, count).points`.
        batch: samples to judge on.

    Returns:
        Loss, accuracy, F1 and predictions at each point.
    """
    logits = torch.stack([predict(surface.model_at(point), batch).cpu() for point in points])
    predicted, classes = logits.argmax(2), logits.shape[2]
    losses = torch.stack([surface.losses(point).double().mean() for point in points])
    right = (predicted == batch.label.cpu()).double().mean(1)
    scores = torch.tensor([f1(one, batch.label, classes) for one in predicted], dtype=torch.float64)
    return Course(torch.linspace(0, 1, len(points), dtype=torch.float64), losses, right, scores, predicted)


def explained(surface: ModelLoss, points: Sequence[Params], batch: Batch, explainer: Explainer) -> tuple[Run, ...]:
    """Explain the predicted class of each sample at points of a path.

    Args:
        surface: puts the weights into the model.
        points: of the path.
        batch: the samples.
        explainer: how.

    Returns:
        What each point says, as if it were a training run; the two ends explain themselves again, with other noise.
    """
    ends = (0, len(points) - 1)
    return tuple(_run(surface.model_at(point), batch, explainer, k, k in ends) for k, point in enumerate(points))


def f1(predicted: Int[Tensor, " sample"], label: Int[Tensor, " sample"], classes: int) -> float:
    """Give the F1 score: of class 1 where there are two classes, else the mean over classes.

    Args:
        predicted: class of each sample.
        label: the true one.
        classes: how many there are.

    Returns:
        The harmonic mean of precision and recall; 0 where nothing of a class is right.

    Example:
        >>> round(f1(torch.tensor([1, 1, 0, 0]), torch.tensor([1, 0, 0, 0]), 2), 4)
        0.6667
    """
    average = "binary" if classes == 2 else "macro"
    return float(f1_score(label.cpu(), predicted.cpu(), average=average, zero_division=0.0))


def _run(model: nn.Module, batch: Batch, explainer: Explainer, point: int, is_end: bool) -> Run:
    method, shown = explainer.method(model), embedded(model, batch)
    predicted = predict(model, batch).argmax(1).cpu()

    def vectors(use: str) -> Vectors:
        found = attribute(
            model,
            shown.inputs,
            method,
            target=Logit(predicted),
            lengths=lengths_of(batch.mask),
            generator=stream(explainer.seed, use, point),
        )
        return explainer.vectors(replace(found, values=found.values.cpu()), batch)

    return Run(vectors("explain"), predicted, vectors("again") if is_end else None)
