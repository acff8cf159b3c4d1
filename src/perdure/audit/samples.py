"""What the page of an audit says of its samples: how large they are, and what the models make of each."""

from __future__ import annotations

from collections.abc import Sequence

from perdure.core.batch import Batch
from perdure.core.outputs import predict_classes
from perdure.stability.members import TrainedModel
from perdure.training.predict import predict

__all__ = ["extent", "titles"]


def extent(batch: Batch) -> str:
    """Say how large the samples are, so that data which were read in a wrong way show at once.

    Args:
        batch: the samples.

    Returns:
        Steps and features, tokens, or channels and pixels.

    Example:
        >>> import torch
        >>> extent(Batch(torch.zeros(2, 5, 3), torch.zeros(2).long()))
        '5 steps of 3 features'
    """
    sizes = batch.inputs.shape[1:]
    upto = "up to " if batch.mask is not None and not batch.mask.all() else ""
    if len(sizes) == 1:
        return f"{upto}{_count(sizes[0], 'token')}"
    if len(sizes) == 2:
        return f"{upto}{_count(sizes[0], 'step')} of {_count(sizes[1], 'feature')}"
    return " x ".join(map(str, sizes))


def titles(candidates: Sequence[TrainedModel], batch: Batch, classes: Sequence[str]) -> list[str]:
    """Name each sample with its class, and with who takes it for another.

    Args:
        candidates: the models.
        batch: the samples.
        classes: name of each class.

    Returns:
        One title per sample.
    """
    taken = [(one.name, predict_classes(one.model, predict(one.model, batch)).tolist()) for one in candidates]
    found = []
    for place, label in enumerate(batch.label.tolist()):
        wrong = [(name, classes[some[place]]) for name, some in taken if some[place] != label]
        by = "".join(f", taken for {other}{f' by {name}' if len(taken) > 1 else ''}" for name, other in wrong)
        found.append(f"{batch.id[place]}, class {classes[label]}{by}")
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
