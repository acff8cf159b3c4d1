"""What a user names on the command line: models and data, by name or by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from torch import nn

    from perdure.core.batch import Batch
    from perdure.data.splits import Splits
    from perdure.training.settings import Training

__all__ = [
    "DATA",
    "JSON",
    "METHOD",
    "METRIC",
    "MODEL",
    "OUT",
    "SEED",
    "SETTING",
    "TRAINING",
    "load_batch",
    "load_data",
    "load_model",
    "other_samples",
    "training",
]

MODEL = Annotated[
    str,
    typer.Argument(help="A name from 'perdure list models', with settings: lstm:hidden_size=16; or a trained folder."),
]
DATA = Annotated[
    str, typer.Argument(help="A name from 'perdure list data', with settings: boxes:variant=latter; or a .npz file.")
]
METHOD = Annotated[list[str], typer.Option(help="A name from 'perdure list methods', with settings; repeatable.")]
METRIC = Annotated[list[str], typer.Option(help="A name from 'perdure list metrics', with settings; repeatable.")]
OUT = Annotated[Path | None, typer.Option(help="The run folder; named after what is run when left out.")]
SEED = Annotated[int, typer.Option(help="Seed of all that is drawn.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SETTING = Annotated[str, typer.Option(help="How to train: 'clean', or 'paper' as published for input-cell attention.")]
TRAINING = Annotated[str, typer.Option(help="Changes to the training setting: epochs=20,learning_rate=0.003.")]


def load_data(text: str, seed: int) -> Splits:
    """Load a dataset by name or by path.

    Args:
        text: registry name with settings, or the path of a .npz file.
        seed: of what is drawn.

    Returns:
        The splits.
    """
    from perdure.core.registry import DATASETS

    found: Any = DATASETS.make("arrays", {"path": text}) if text.endswith(".npz") else DATASETS.make(text)
    splits: Splits = found.load(seed)
    return splits


def load_batch(splits: Splits, split: str, limit: int | None) -> Batch:
    """Take the first samples of a split.

    Args:
        splits: the data.
        split: "train", "validation" or "test".
        limit: the most samples; None for all.

    Returns:
        The samples.

    Raises:
        SettingError: for another split, or a limit below 1.
    """
    from perdure.core.batch import select
    from perdure.core.check import check_choice, check_counts

    check_choice("split", split, ("train", "validation", "test"))
    batch: Batch = getattr(splits, split)
    if limit is None:
        return batch
    check_counts(limit=limit)
    return select(batch, slice(0, limit))


def other_samples(splits: Splits, split: str) -> Batch:
    """Take the samples that a method may see before it explains a split.

    Args:
        splits: the data.
        split: whose samples are explained.

    Returns:
        The training samples, or those of validation where training samples are explained.
    """
    return splits.validation if split == "train" else splits.train


def load_model(folder: Path, digest: str | None = None) -> nn.Module:
    """Load a trained model.

    Args:
        folder: that 'perdure train' wrote, of one seed, or with a single seed in it.
        digest: of the weights that are meant; None for any.

    Returns:
        The model in evaluation mode.

    Raises:
        CheckpointError: when there is none, or its weights are others than those that are meant.
    """
    from perdure.core.digest import model_digest
    from perdure.core.errors import CheckpointError
    from perdure.training.checkpoint import is_finished, load_checkpoint

    seeds = [] if is_finished(folder) else sorted(folder.glob("seed-*"))
    model = load_checkpoint(seeds[0] if len(seeds) == 1 else folder)[0]
    if digest is not None and model_digest(model) != digest:
        raise CheckpointError(f"{folder} holds other weights than those that were explained", "explain again")
    return model


def training(setting: str, changes: str) -> Training:
    """Put a training setting together.

    Args:
        setting: "clean" or "paper".
        changes: field values, as on the command line.

    Returns:
        The setting.

    Raises:
        SettingError: for an unknown setting, field or value.
    """
    from dataclasses import asdict

    from perdure.core.check import check_choice
    from perdure.core.registry import settings_of, validated
    from perdure.training.settings import CLEAN, PAPER, Training

    check_choice("setting", setting, ("clean", "paper"))
    base = CLEAN if setting == "clean" else PAPER
    return Training(**validated(Training, {**asdict(base), **settings_of(changes)}, "training"))
