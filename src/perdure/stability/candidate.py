"""A candidate: a trained model before the audit, with its accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from perdure.core.batch import Batch
from perdure.core.protocols import Architecture
from perdure.core.random import stream
from perdure.core.verdict import Number
from perdure.data.splits import Splits
from perdure.ops.interval import bootstrap_interval
from perdure.training.checkpoint import is_finished, load_checkpoint, save_checkpoint
from perdure.training.ensemble import train
from perdure.training.predict import predict
from perdure.training.settings import Training

__all__ = ["Candidate", "accuracy_number", "trained"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trained model.

    Args:
        name: how the audit calls it.
        model: in evaluation mode.
    """

    name: str
    model: nn.Module


def trained(
    name: str,
    config: Architecture,
    splits: Splits,
    training: Training,
    *,
    seed: int,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    device: str = "cpu",
) -> Candidate:
    """Train a model, or load it when an interrupted run has trained it already.

    Args:
        name: how the audit calls it.
        config: its architecture.
        splits: the data.
        training: the settings.
        seed: of weights, dropout and order of samples.
        folder: where the checkpoint goes.
        progress: told after each check.
        device: where to train, such as "cuda".

    Returns:
        The trained model, on that device.
    """
    if is_finished(folder):
        return Candidate(name, load_checkpoint(folder, config)[0].to(device))
    fitted = train(config, splits, training, seed, progress=progress, device=device)
    save_checkpoint(folder, fitted.model, config, splits, {"seed": seed})
    return Candidate(name, fitted.model)


def accuracy_number(model: nn.Module, batch: Batch, seed: int) -> Number:
    """Measure accuracy between the share of the most frequent class and one.

    Args:
        model: a classifier.
        batch: samples to judge on.
        seed: of the bootstrap.

    Returns:
        The share of right predictions with its interval over samples.
    """
    right = (predict(model, batch).argmax(1).cpu() == batch.label).double()
    low, high = bootstrap_interval(right, stream(seed, "bootstrap", "accuracy"))
    most = batch.label.bincount().max().item() / len(batch)
    return Number("accuracy", right.mean().item(), low.item(), high.item(), most, 1.0, higher_is_better=True)
