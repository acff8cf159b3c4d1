"""Trained models, and the runs of an ensemble that can be compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from perdure.core.abilities import Architecture
from perdure.core.batch import Batch
from perdure.core.errors import CheckpointError, EmptyDataError
from perdure.core.estimate import Estimate
from perdure.core.outputs import predict_classes
from perdure.core.random import stream
from perdure.data._splits import Splits
from perdure.engine.pool import Engine
from perdure.ops.bootstrap import bootstrap_interval
from perdure.training.checkpoint import Info, is_whole, load_checkpoint, save_checkpoint
from perdure.training.many import read_failure
from perdure.training.predict import predict
from perdure.training.settings import Training
from perdure.training.train import train

__all__ = [
    "Ensemble",
    "EnsembleMember",
    "TrainedModel",
    "describe_not_learned",
    "estimate_accuracy",
    "find_failures",
    "has_learned",
    "load_members",
    "load_or_train",
    "select_learned",
]


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A trained model.

    Args:
        name: Name in the audit.
        model: Model in evaluation mode.
    """

    name: str
    model: nn.Module


def load_or_train(
    name: str,
    config: Architecture,
    splits: Splits,
    training: Training,
    *,
    seed: int,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    device: str = "cpu",
) -> TrainedModel:
    """Train a model, or load it when an interrupted run has trained it already.

    Args:
        name: Name in the audit.
        config: Its architecture.
        splits: Data of the runs.
        training: Settings.
        seed: Seed for weights, dropout and the order of samples.
        folder: Folder of the checkpoint.
        progress: Callback after each validation.
        device: Device of the training, such as "cuda".

    Returns:
        The trained model, on that device.
    """
    if is_whole(folder):
        return TrainedModel(name, load_checkpoint(folder, config)[0].to(device))
    fitted = train(config, splits, training, seed, progress=progress, device=device)
    save_checkpoint(folder, fitted.model, config, splits, {"seed": seed})
    return TrainedModel(name, fitted.model)


def estimate_accuracy(model: nn.Module, batch: Batch, seed: int) -> Estimate:
    """Estimate the accuracy; its null is the frequency of the most frequent class.

    Args:
        model: Classifier.
        batch: Labelled samples.
        seed: Seed for the bootstrap.

    Returns:
        The fraction of correct predictions with its interval over samples.
    """
    right = (predict_classes(model, predict(model, batch)).cpu() == batch.label).double()
    low, high = bootstrap_interval(right, stream(seed, "bootstrap", "accuracy"))
    value, interval = right.mean().item(), (low.item(), high.item())
    most = batch.label.bincount().max().item() / len(batch)
    return Estimate(value, most, 1.0, interval, len(right), "accuracy", higher_is_better=True)


def has_learned(accuracy: Estimate) -> bool:
    """Return whether a model has learned its task, by the rule of all verdicts.

    Args:
        accuracy: Accuracy on test samples; its null is the frequency of the most frequent class.

    Returns:
        True when the whole interval lies above the null.

    Example:
        >>> has_learned(Estimate(0.6, 0.5, 1.0, (0.49, 0.7)))
        False
    """
    return accuracy.low > accuracy.null


def describe_not_learned(accuracy: Estimate) -> str:
    """Describe that a model has not learned its task.

    Args:
        accuracy: Accuracy of the model.

    Returns:
        A sentence.
    """
    if accuracy.null >= 1:
        return "All test samples are of one class, so that no accuracy shows whether the model has learned its task."
    right = f"The model is right on {accuracy.value:.0%} of the test samples, which is"
    most = f"than always naming the most frequent class ({accuracy.null:.0%})"
    if accuracy.high < accuracy.null:
        return f"{right} worse {most}: are its outputs in the order of the classes? There is nothing to explain yet."
    return f"{right} no better {most}: there is nothing to explain yet."


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Runs of an ensemble, and the engine that explains them.

    Args:
        sources: Folder of the checkpoint, or the model itself, by name of the run.
        config: Factory of runs of a model of your own; other checkpoints do without.
        workers: Number of processes, or an engine; results do not depend on it.
        device: Device of the models, such as "cuda".
    """

    sources: Mapping[str, Path | nn.Module]
    config: Architecture | None = None
    workers: int | Engine = 1
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class EnsembleMember:
    """A training run of an ensemble.

    Args:
        name: Unique name, such as "seed 3".
        source: Folder of its checkpoint, or the model itself.
        model: Model in evaluation mode.
        config: Architecture.
        accuracy: Accuracy on all test samples.
    """

    name: str
    source: Path | nn.Module
    model: nn.Module
    config: Architecture | None
    accuracy: Estimate


def load_members(ensemble: Ensemble, splits: Splits, seed: int) -> tuple[EnsembleMember, ...]:
    """Load the runs of an ensemble; those whose training failed are left out with a warning.

    Their architectures may differ: what is compared are explanations of the same data.

    Args:
        ensemble: Runs.
        splits: Data, the same for all.
        seed: Seed for the bootstrap of accuracies.

    Returns:
        At least two runs.

    Raises:
        EmptyDataError: with fewer than two usable runs.
        CheckpointError: If a checkpoint is missing or damaged, or its model was trained on other data.
    """
    sources, failed = ensemble.sources, find_failures(ensemble)
    for name, reason in failed.items():
        warnings.warn(f"run '{name}' is left out, as its training failed: {reason}", stacklevel=2)
    if len(sources) - len(failed) < 2:
        raise EmptyDataError(
            f"{len(sources) - len(failed)} of {len(sources)} runs can be compared",
            "train at least two, better five or more; mend those that failed",
        )
    usable = {name: source for name, source in sources.items() if name not in failed}
    return tuple(_load_member(name, source, ensemble, splits, seed) for name, source in usable.items())


def find_failures(ensemble: Ensemble) -> dict[str, str]:
    """Find the runs whose training failed.

    Args:
        ensemble: Runs.

    Returns:
        Why, by name of the run.
    """
    reasons = {
        name: read_failure(source) for name, source in ensemble.sources.items() if not isinstance(source, nn.Module)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def select_learned(members: Sequence[EnsembleMember]) -> tuple[EnsembleMember, ...]:
    """Select the runs that have learned the task; explanations of the others are not comparable.

    Args:
        members: Runs.

    Returns:
        The selected runs; all runs when fewer than two have learned, so that the verdict names them.
    """
    result = tuple(member for member in members if has_learned(member.accuracy))
    return result if len(result) > 1 else tuple(members)


def _load_member(name: str, source: Path | nn.Module, ensemble: Ensemble, splits: Splits, seed: int) -> EnsembleMember:
    if isinstance(source, nn.Module):
        return EnsembleMember(name, source, source, None, estimate_accuracy(source, splits.test, seed))
    model, info = load_checkpoint(source, ensemble.config)
    _check_same_data(source, info, splits)
    model = model.to(ensemble.device)
    return EnsembleMember(name, source, model, info.config, estimate_accuracy(model, splits.test, seed))


def _check_same_data(folder: Path, info: Info, splits: Splits) -> None:
    pairs = {
        "features": (info.features, splits.features),
        "classes": (info.classes, splits.classes),
        "vocabulary": (info.vocabulary, splits.vocabulary),
    }
    for what, (theirs, ours) in pairs.items():
        if theirs != ours:
            shown = "" if what == "vocabulary" else f": {theirs} there and {ours} here"
            raise CheckpointError(
                f"the model in {folder} was trained on data with other {what}{shown}",
                "compare runs on the data they were trained on",
            )
