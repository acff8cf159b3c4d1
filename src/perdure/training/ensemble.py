"""Ensembles: the same training from several seeds, each run a function of its seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from perdure.core.abilities import Architecture
from perdure.core.batch import Batch, select
from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.core.memory import limited_memory
from perdure.core.random import stream
from perdure.core.threads import one_thread
from perdure.data._splits import Splits
from perdure.models._typed import told_types
from perdure.training.checkpoint import is_finished, save_checkpoint
from perdure.training.course import Fitted, Progress
from perdure.training.fit import fit
from perdure.training.predict import accuracy
from perdure.training.settings import Training
from perdure.training.source import Source, shuffled

__all__ = ["Runs", "Vary", "resampled", "train"]

Vary = Literal["seed", "bootstrap"]
"""What differs from run to run: all that training draws, or the training samples."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The training runs of an ensemble; called with a seed, it does one of them.

    The calls may come in any order and from any process, and those whose checkpoint is finished cost nothing. Runs
    vary by one thing at a time: seeds keep the training samples, and bootstraps keep first weights, order and dropout.

    Args:
        config: the architecture.
        splits: the data, the same for all runs.
        settings: how to train.
        folder: where the checkpoints go, one folder for each seed.
        source: the training samples; the shuffled training split when None.
        vary: "seed", or "bootstrap": train on samples that are drawn with replacement by the seed of the run.
        base: seed of all else that training draws, when bootstraps vary.
        device: where to train, such as "cuda".

    Raises:
        SettingError: for bootstraps of a source of its own, or another way to vary.
    """

    config: Architecture
    splits: Splits
    settings: Training
    folder: Path
    source: Source | None = None
    vary: Vary = "seed"
    base: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_choice("vary", self.vary, get_args(Vary))
        if self.vary == "bootstrap" and self.source is not None:
            raise SettingError("a source has no samples to draw again", "leave source out, or vary the seed")

    def __call__(self, seed: int) -> None:
        """Train one model and store it, unless that is done.

        Args:
            seed: of the run.
        """
        if is_finished(self.place(seed)):
            return
        if self.vary == "seed":
            fitted = train(self.config, self.splits, self.settings, seed, self.source, device=self.device)
        else:
            drawn = resampled(self.splits.train, stream(seed, "bootstrap"))
            source = shuffled(drawn, self.settings.batch_size, self.settings.min_steps)
            fitted = train(self.config, self.splits, self.settings, self.base, source, device=self.device)
        best = fitted.history[fitted.best]
        extra = {
            "seed": seed,
            **({"vary": self.vary, "base": self.base} if self.vary != "seed" else {}),
            "step": best.step,
            "validation_accuracy": best.validation_accuracy,
            "test_accuracy": accuracy(fitted.model, self.splits.test),
        }
        save_checkpoint(self.place(seed), fitted.model, self.config, self.splits, extra)

    def place(self, seed: int) -> Path:
        """Name the folder of a run.

        Args:
            seed: of the run.

        Returns:
            The folder of its checkpoint, whether it exists or not.
        """
        return self.folder / f"{self.vary}-{seed:05d}"


def train(
    config: Architecture,
    splits: Splits,
    settings: Training,
    seed: int,
    source: Source | None = None,
    progress: Progress | None = None,
    *,
    device: str = "cpu",
) -> Fitted:
    """Build and train a model from a seed; equal seeds give equal bits on one machine.

    Sums over several threads depend on how the work is shared out, so the run keeps to one. The first weights are
    drawn on the CPU, so that they are the same for every device.

    Args:
        config: the architecture.
        splits: the data.
        settings: how to train.
        seed: of weights, order of samples and dropout.
        source: the training samples; the shuffled training split when None.
        progress: told after each check.
        device: where to train, such as "cuda"; the data stays where it is.

    Returns:
        The trained model with its history.

    Raises:
        SettingError: when the architecture asks for event types, and the data has none.
        NonFiniteError: when the loss becomes NaN or infinite.
    """
    with limited_memory():
        model = told_types(config, splits).build(splits.features, len(splits.classes), stream(seed, "weights"))
    source = source or shuffled(splits.train, settings.batch_size, settings.min_steps)
    with one_thread():
        return fit(model.to(device), source, splits.validation, settings, stream(seed, "training"), progress)


def resampled(batch: Batch, generator: torch.Generator) -> Batch:
    """Draw as many samples as there are, with replacement.

    Args:
        batch: where to draw from.
        generator: the stream of the draw.

    Returns:
        The drawn samples, some of them several times.

    Reference:
        efron1979bootstrap

    Example:
        >>> drawn = resampled(Batch(torch.zeros(100, 1), torch.arange(100)), torch.Generator())
        >>> len(drawn), 55 < len(drawn.label.unique()) < 72  # about 1 - 1/e of them
        (100, True)
    """
    return select(batch, torch.randint(len(batch), (len(batch),), generator=generator))
