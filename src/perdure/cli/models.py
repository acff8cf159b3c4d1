"""Models of the commands: resolved and opened once, then loaded or trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from torch import nn

from perdure.core.abilities import Architecture
from perdure.core.errors import SettingError
from perdure.core.outputs import Outputs
from perdure.core.spec import slug
from perdure.data._splits import Splits
from perdure.models._outputs import declare_detected
from perdure.models.factory import Factory, is_factory
from perdure.stability.members import load_or_train
from perdure.training.checkpoint import is_finished
from perdure.training.loop import Progress
from perdure.training.model_source import ModelSource, open_model
from perdure.training.model_spec import resolve_model
from perdure.training.settings import Training

__all__ = [
    "describe_work",
    "load_or_train_source",
    "make_factory",
    "open_models",
    "open_named",
    "read_texts",
    "read_with_model",
]


def open_named(text: str, weights: Path | None = None, outputs: str | None = None) -> ModelSource:
    """Resolve and open a model of the command line.

    Args:
        text: Model, as in `resolve_model`.
        weights: File or checkpoint folder with its weights.
        outputs: Outputs of the model; None to infer them.

    Returns:
        The opened model.
    """
    return open_model(resolve_model(text, weights, outputs))


def open_models(
    texts: Sequence[str], weights: Path | None = None, outputs: str | None = None
) -> tuple[ModelSource, ...]:
    """Open several models before any is trained.

    Args:
        texts: Models, as in `resolve_model`.
        weights: Weights of the first model.
        outputs: Outputs of the first model.

    Returns:
        The opened models.

    Raises:
        SettingError: If a model is named twice.
    """
    if len({slug(text) for text in texts}) < len(texts):
        raise SettingError(f"a model is named twice among {', '.join(texts)}", "compare different models")
    return open_named(texts[0], weights, outputs), *map(open_named, texts[1:])


def read_texts(sources: Sequence[ModelSource], splits: Splits) -> Splits:
    """Convert texts to the token ids of the models.

    Args:
        sources: One or more models.
        splits: Data.

    Returns:
        The same samples for all of the models.

    Raises:
        SettingError: If the models have different tokens.
    """
    readers = {source.reader for source in sources}
    if len(readers) > 1:
        names = " and ".join(source.name for source in sources)
        raise SettingError(f"{names} read texts in different tokens", "audit each by itself")
    (reader,) = readers
    return splits if reader is None else reader(splits)


def read_with_model(model: nn.Module, splits: Splits) -> Splits:
    """Convert texts to the token ids of a trained model, where it has a tokenizer.

    Args:
        model: Model of any kind.
        splits: Data.

    Returns:
        The same samples.
    """
    reader = getattr(model, "reader", None)
    return splits if reader is None else cast("Splits", reader(splits))


def load_or_train_source(
    source: ModelSource,
    splits: Splits,
    training: Training,
    *,
    seed: int,
    folder: Path,
    progress: Progress | None = None,
    device: str = "cpu",
) -> nn.Module:
    """Load the model, or train it unless an interrupted run has trained it.

    Args:
        source: Opened model.
        splits: Data.
        training: Training settings.
        seed: Seed of the training.
        folder: Folder of the checkpoint of a training.
        progress: Callback after each validation.
        device: Device of the training and of the model.

    Returns:
        The trained model in evaluation mode, on that device.
    """
    if source.load is not None:
        return declare_detected(source.load(splits).to(device), splits.train)
    trained = load_or_train(
        source.name, source.trainable, splits, training, seed=seed, folder=folder, progress=progress, device=device
    )
    return declare_detected(trained.model, splits.train)


def describe_work(source: ModelSource, folder: Path) -> str:
    """Describe the work of `load_or_train_source` for a progress bar.

    Args:
        source: Opened model.
        folder: Folder of the checkpoint of a training.

    Returns:
        "training" or "loading", with the name of the model.
    """
    is_new = source.load is None and not is_finished(folder)
    return f"{'training' if is_new else 'loading'} {source.name}"


def make_factory(text: str, outputs: str | None = None) -> Architecture | None:
    """Make the factory of runs that were trained with one.

    Args:
        text: Factory, "file.py:function" or "package.module:function"; empty for runs without one.
        outputs: Outputs of the model, where they are not stored with the runs.

    Returns:
        The factory; None for runs without one.

    Raises:
        SettingError: If the text names something else.
    """
    if text and not is_factory(text):
        raise SettingError(f"--model {text} names no factory", "give file.py:function, or leave it out")
    if outputs is not None and not text:
        raise SettingError("--outputs is given without --model", "name the factory of the runs, or leave it out")
    return Factory(text, cast("Outputs | None", outputs)) if text else None
