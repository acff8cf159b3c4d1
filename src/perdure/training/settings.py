"""The settings of training, with those of the papers as constants."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from perdure.core.check import check_choice, check_counts
from perdure.core.errors import SettingError
from perdure.core.spec import validate_settings

__all__ = ["CLEAN", "PAPER", "Training", "make_training"]


@dataclass(frozen=True)
class Training:
    """Settings of training by Adam, with checks that choose the best weights.

    Args:
        epochs: Most passes over the training samples.
        batch_size: Samples of one step.
        min_steps: Fewest steps of an epoch; a smaller training set is passed several times in each.
        learning_rate: Learning rate of Adam, at its highest.
        weight_decay: Weight decay, decoupled from the gradient as in AdamW.
        schedule: Schedule of the learning rate: "constant", or "one_cycle": up over the first 30 % of all steps, then
            down to zero.
        clip: Largest norm of a gradient; None leaves gradients unchanged.
        loss: Loss: "cross_entropy", the negative log-likelihood under what the model declares or is found to return,
            or "published": cross-entropy of the softmax of the softmax, as in the code of the input-cell attention
            paper.
        check_every: Steps from one check on the validation samples to the next; None checks after each epoch.
        select: Criterion of the best weights, the lowest validation loss or the highest validation accuracy;
            the earliest of equals.
        patience: Checks without a better one after which training ends; None for no limit.
        stop_at: Training accuracy at which training ends; None for no limit.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        ismail2019inputcell

    Example:
        >>> from dataclasses import replace
        >>> replace(PAPER, check_every=3).stop_at
        1.0
    """

    epochs: int = 30
    batch_size: int = 50
    min_steps: int = 1
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "one_cycle"] = "constant"
    clip: float | None = None
    loss: Literal["cross_entropy", "published"] = "cross_entropy"
    check_every: int | None = None
    select: Literal["loss", "accuracy"] = "loss"
    patience: int | None = 10
    stop_at: float | None = None

    def __post_init__(self) -> None:
        check_counts(epochs=self.epochs, batch_size=self.batch_size, min_steps=self.min_steps)
        optional = {"check_every": self.check_every, "patience": self.patience}
        check_counts(**{name: value for name, value in optional.items() if value is not None})
        check_choice("schedule", self.schedule, ("constant", "one_cycle"))
        check_choice("loss", self.loss, ("cross_entropy", "published"))
        check_choice("select", self.select, ("loss", "accuracy"))
        if self.learning_rate <= 0 or (self.clip is not None and self.clip <= 0):
            raise SettingError(f"learning_rate is {self.learning_rate}, clip is {self.clip}", "give positive numbers")
        if self.weight_decay < 0:
            raise SettingError(f"weight_decay is {self.weight_decay}", "give zero or a positive number")
        if self.stop_at is not None and not 0 < self.stop_at <= 1:
            raise SettingError(f"stop_at is {self.stop_at}", "give an accuracy above 0 and up to 1")


CLEAN = Training(min_steps=10)
"""The default: stops early on the validation loss and keeps the weights where it was lowest. At least ten steps lie
between two checks, so that some dozens of samples get the 300 steps that they need."""

PAPER = Training(
    epochs=400, learning_rate=1e-3, loss="published", check_every=10, select="accuracy", patience=None, stop_at=1.0
)
"""As published for input-cell attention, but selected on validation samples where the published code selects on the
test set. The checks come every 10 steps for plain recurrent networks and every 3 for input-cell attention."""


def make_training(preset: str = "clean", **settings: Any) -> Training:
    """Make training settings from a preset.

    Args:
        preset: "clean" for `CLEAN`, or "paper" for `PAPER`.
        **settings: Fields of `Training` that differ from the preset.

    Returns:
        The settings.

    Raises:
        SettingError: For an unknown preset, field or value.

    Example:
        >>> make_training("paper", epochs=3).epochs, make_training().min_steps
        (3, 10)
    """
    presets = {"clean": CLEAN, "paper": PAPER}
    check_choice("preset", preset, tuple(presets))
    return Training(**validate_settings(Training, {**asdict(presets[preset]), **settings}, "training"))
