"""Train a model from a seed: each run of an ensemble is a function of its seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

import torch

from perdure.core.abilities import Architecture
from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.core.resources import limited_memory, single_thread
from perdure.data._splits import Splits
from perdure.models._event_types import resolve_event_types
from perdure.records.files import write_text
from perdure.training.batches import BatchSource, shuffle_batches
from perdure.training.checkpoint import is_whole, save_checkpoint
from perdure.training.loop import Check, Fitted, Progress, fit
from perdure.training.predict import accuracy
from perdure.training.settings import Training

__all__ = ["HISTORY", "Runs", "Vary", "resample", "train"]


HISTORY = "history.csv"
"""File of the checks of a run: step, losses and validation accuracy."""

Vary = Literal["seed", "bootstrap"]
"""What varies between runs: all random draws of training, or the training samples."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The training runs of an ensemble; a call with a seed does one of them.

    Calls may come in any order and from any process, and a finished checkpoint is not trained again. Runs vary by
    one thing at a time: seeds keep the training samples, and bootstraps keep first weights, order and dropout.

    Args:
        config: Architecture.
        splits: Data, the same for all runs.
        settings: Settings of training.
        folder: Folder of the checkpoints, with one folder for each seed.
        source: The training samples; the shuffle_batches training split when None.
        vary: What varies: "seed", or "bootstrap", which draws the training samples with replacement by the seed of the
            run.
        base: Seed of all other draws of training, when bootstraps vary.
        device: Device to train on, such as "cuda".

    Raises:
        SettingError: For bootstraps of a given source, or an unknown value of vary.
    """

    config: Architecture
    splits: Splits
    settings: Training
    folder: Path
    source: BatchSource | None = None
    vary: Vary = "seed"
    base: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_choice("vary", self.vary, get_args(Vary))
        if self.vary == "bootstrap" and self.source is not None:
            raise SettingError("a given source has no samples to draw again", "leave source out, or vary the seed")

    def __call__(self, seed: int) -> None:
        """Train one model and store it, unless its checkpoint is finished.

        Args:
            seed: Seed of the run.
        """
        if is_whole(self.place(seed)):
            return
        if self.vary == "seed":
            fitted = train(self.config, self.splits, self.settings, seed, self.source, device=self.device)
        else:
            samples = resample(self.splits.train, stream(seed, "bootstrap"))
            source = shuffle_batches(samples, self.settings.batch_size, self.settings.min_steps)
            fitted = train(self.config, self.splits, self.settings, self.base, source, device=self.device)
        best = fitted.history[fitted.best]
        extra = {
            "seed": seed,
            **({"vary": self.vary, "base": self.base} if self.vary != "seed" else {}),
            "step": best.step,
            "validation_accuracy": best.validation_accuracy,
            "test_accuracy": accuracy(fitted.model, self.splits.test),
        }
        write_text(self.place(seed) / HISTORY, _write_history(fitted.history))
        save_checkpoint(self.place(seed), fitted.model, self.config, self.splits, extra)

    def place(self, seed: int) -> Path:
        """Return the folder of a run.

        Args:
            seed: Seed of the run.

        Returns:
            The folder of its checkpoint, whether it exists or not.
        """
        return self.folder / f"{self.vary}-{seed:05d}"


def _write_history(history: Sequence[Check]) -> str:
    """Write the checks of a run as a table of comma-separated values."""
    names = [field.name for field in fields(Check)]
    rows = [",".join(str(getattr(check, name)) for name in names) for check in history]
    return "\n".join([",".join(names), *rows]) + "\n"


def train(
    config: Architecture,
    splits: Splits,
    settings: Training,
    seed: int,
    source: BatchSource | None = None,
    progress: Progress | None = None,
    *,
    device: str = "cpu",
) -> Fitted:
    """Build and train a model from a seed; equal seeds give equal bits on one machine.

    Sums over several threads depend on how the work is divided, so the run uses one thread. The first weights are
    drawn on the CPU, so that they are the same for every device.

    Args:
        config: Architecture.
        splits: Data.
        settings: Settings of training.
        seed: Seed of weights, order of samples and dropout.
        source: The training samples; the shuffle_batches training split when None.
        progress: Function that is called after each check.
        device: Device to train on, such as "cuda"; the data are not moved.

    Returns:
        The trained model with its history.

    Raises:
        SettingError: When the architecture needs event types, and the data have none.
        NonFiniteError: When the loss becomes NaN or infinite.
    """
    with limited_memory():
        model = resolve_event_types(config, splits).build(splits.features, len(splits.classes), stream(seed, "weights"))
    source = source or shuffle_batches(splits.train, settings.batch_size, settings.min_steps)
    with single_thread():
        return fit(model.to(device), source, splits.validation, settings, stream(seed, "training"), progress)


def resample(batch: Batch, generator: torch.Generator) -> Batch:
    """Draw as many samples as there are, with replacement.

    Args:
        batch: Samples to draw from.
        generator: Stream of the draw.

    Returns:
        The drawn samples, some of them several times.

    Reference:
        efron1979bootstrap

    Example:
        >>> result = resample(Batch(torch.zeros(100, 1), torch.arange(100)), torch.Generator())
        >>> len(result), 55 < len(result.label.unique()) < 72  # about 1 - 1/e of them
        (100, True)
    """
    return slice_batch(batch, torch.randint(len(batch), (len(batch),), generator=generator))
