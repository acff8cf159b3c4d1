"""The training loop: the weights that do best on the validation samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from perdure.core.batch import Batch
from perdure.core.check import check_label, check_readable
from perdure.core.copy import copy_module
from perdure.core.device import device_of
from perdure.core.errors import NonFiniteError, SettingError, UnsupportedError
from perdure.core.outputs import ONE, as_classes, probability
from perdure.core.random import global_stream
from perdure.training.batches import BatchSource
from perdure.training.loss import classification_loss, detect_kind
from perdure.training.predict import count_labels, errors, outputs, predict, split_steps
from perdure.training.settings import Training

__all__ = ["Check", "Fitted", "Predict", "Progress", "TrainingState", "fit"]


Progress = Callable[[int, int], None]
"""Function of the number of steps done and the most there can be."""

Predict = Callable[[nn.Module, Batch], Tensor]
"""Computes the outputs of a model in evaluation mode, as `predict` does."""


@dataclass(frozen=True)
class Check:
    """An evaluation of the model during training.

    Args:
        step: Number of optimiser steps so far.
        loss: Mean training loss of the steps since the last check, with dropout.
        validation_loss: Mean loss over the validation samples.
        validation_accuracy: Fraction of validation samples whose predicted class is their label.
    """

    step: int
    loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model with its history.

    Args:
        model: Model in evaluation mode, with the best weights.
        history: Checks, in order.
        best: Index in `history` of the check whose weights the model has.
    """

    model: nn.Module
    history: tuple[Check, ...]
    best: int


class TrainingState:
    """State of a training run: its step, its history of validation, and early stopping.

    A step is `loss`, a backward pass, and `learn`. Random draws come only from the generator: the order of the
    samples, and once the seed of dropout.

    Args:
        model: Model to start from; a copy is trained.
        source: Source of the training samples.
        validation: Samples that the best weights are chosen on.
        settings: Settings of training.
        generator: Stream of shuffling, drawing and dropout.

    Raises:
        DataError: When inputs are not usable.
        SettingError: When training is to stop at a training accuracy, but there is no training set.
        UnsupportedError: When the model cannot be copied, has no weights to train, or returns numbers.
        LabelError: When the model has one output and does not declare what it is.
    """

    def __init__(
        self, model: nn.Module, source: BatchSource, validation: Batch, settings: Training, generator: torch.Generator
    ) -> None:
        _check_data(source, validation, settings)
        self.model = _copy_for_training(model)
        self.step, self.total = 0, settings.epochs * source.steps
        self.is_over = False
        self.kind = detect_kind(self.model, validation)
        self.dropout_seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        self._source, self._validation, self._settings, self._generator = source, validation, settings, generator
        self._optimiser = torch.optim.AdamW(
            self.model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self._rate = _rate(self._optimiser, settings, self.total)
        self._losses: list[float] = []
        self._history: list[Check] = []
        self._best, self._weights = 0, _weights(self.model)

    def batches(self) -> Iterator[Batch]:
        """Draw the batches of all steps, until training is over.

        Yields:
            The samples of a step.
        """
        for _ in range(self._settings.epochs):
            for batch in self._source.epoch(self._generator):
                yield batch
                if self.is_over:
                    return

    def loss(self, outputs: Float[Tensor, "batch classes"], batch: Batch) -> Float[Tensor, ""]:
        """Begin a step: compute and record its loss, and reset the gradients.

        Args:
            outputs: Outputs of the model.
            batch: Samples of the step.

        Returns:
            The loss, with its graph.

        Raises:
            NonFiniteError: When it is NaN or infinite.
        """
        self.step += 1
        loss = self._loss(outputs, batch)
        self._losses.append(_finite(loss, "training", self.step, self._settings))
        self._optimiser.zero_grad()
        return loss

    def learn(self, batch: Batch, predict: Predict = predict) -> bool:
        """End a step: update the weights by their gradients, and check the model when that is due.

        Args:
            batch: Samples of the step.
            predict: Function that computes the outputs for the checks.

        Returns:
            Whether there was a check.
        """
        if self._settings.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.clip)
        self._optimiser.step()
        self._rate.step()
        if self.step % (self._settings.check_every or self._source.steps) and self.step < self.total:
            return False
        self._check(predict)
        self.is_over = self._is_out_of_patience() or self._is_learnt(batch, predict)
        return True

    def finish(self) -> Fitted:
        """Restore the best weights.

        Returns:
            The trained copy with its history.
        """
        self.model.load_state_dict(self._weights)
        return Fitted(self.model.eval(), tuple(self._history), self._best)

    def _check(self, predict: Predict) -> None:
        """Evaluate the model, and keep its weights when it is the best so far."""
        outputs = predict(self.model, self._validation)
        loss = _finite(self._loss(outputs, self._validation), "validation", self.step, self._settings)
        total = count_labels(self._validation)
        right = total - errors(outputs, self._validation, self.kind)
        mean = sum(self._losses) / len(self._losses)
        self._losses.clear()
        self._history.append(Check(self.step, mean, loss, right / total))
        if len(self._history) == 1 or _is_better(self._history[-1], self._history[self._best], self._settings):
            self._best, self._weights = len(self._history) - 1, _weights(self.model)

    def _is_out_of_patience(self) -> bool:
        patience = self._settings.patience
        return patience is not None and len(self._history) - 1 - self._best >= patience

    def _is_learnt(self, batch: Batch, predict: Predict) -> bool:
        """Return whether the training accuracy is reached; errors in the last batch alone may rule it out."""
        whole, stop_at = self._source.whole, self._settings.stop_at
        if stop_at is None or whole is None:
            return False
        wrong = (errors(predict(self.model, part), part, self.kind) for part in (batch, whole))
        total = count_labels(whole)
        return all((total - count) / total >= stop_at for count in wrong)

    def _loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        outputs, label = split_steps(outputs, batch)
        check_label(label, len(outputs), 2 if self.kind in ONE else outputs.shape[1])
        if self._settings.loss == "published":
            return cross_entropy(probability(*as_classes(outputs, self.kind)), label)
        return classification_loss(outputs, self.kind, label)


def _copy_for_training(model: nn.Module) -> nn.Module:
    if not any(weight.requires_grad for weight in model.parameters()):
        raise UnsupportedError(
            f"{type(model).__name__} has no weights that can be trained",
            "set requires_grad on its parameters; a module from torch.jit.freeze has none: train it before",
        )
    return copy_module(model).train()


def _rate(optimiser: torch.optim.Optimizer, settings: Training, total: int) -> LRScheduler:
    if settings.schedule == "constant":
        return ConstantLR(optimiser, factor=1.0)
    return OneCycleLR(optimiser, settings.learning_rate, total_steps=total + 1, cycle_momentum=False)


def _is_better(check: Check, best: Check, settings: Training) -> bool:
    if settings.select == "accuracy":
        return check.validation_accuracy > best.validation_accuracy
    return check.validation_loss < best.validation_loss


def _check_data(source: BatchSource, validation: Batch, settings: Training) -> None:
    check_readable(validation.inputs, "the validation inputs")
    if source.whole is not None:
        check_readable(source.whole.inputs, "the training inputs")
    elif settings.stop_at is not None:
        raise SettingError(
            f"stop_at is {settings.stop_at}, but new samples are drawn for each step, so there is no training set",
            "leave stop_at out, or train on a fixed set",
        )


def _finite(loss: Tensor, name: str, step: int, settings: Training) -> float:
    value = loss.item()
    if not math.isfinite(value):
        raise NonFiniteError(
            f"the {name} loss is {value} at step {step}",
            f"lower the learning rate, now {settings.learning_rate}, or set clip=1.0",
        )
    return value


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def fit(
    model: nn.Module,
    source: BatchSource,
    validation: Batch,
    settings: Training,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> Fitted:
    """Train a copy of a model and keep the weights that do best on the validation samples.

    All random draws, dropout included, follow from the generator; the global random state is neither read nor
    changed.

    Args:
        model: Model to start from; not modified.
        source: Source of the training samples.
        validation: Samples that the best weights are chosen on.
        settings: Settings of training.
        generator: Stream of shuffling, drawing and dropout.
        progress: Function that is called after each check, and at the end.

    Returns:
        The trained copy with its history.

    Raises:
        DataError: When inputs or labels are not usable; `NonFiniteError` when the loss becomes NaN or infinite.
        SettingError: When training is to stop at a training accuracy, but there is no training set.
    """
    state = TrainingState(model, source, validation, settings, generator)
    with global_stream(torch.Generator().manual_seed(state.dropout_seed), device_of(model)):
        for batch in state.batches():
            torch.autograd.backward(state.loss(outputs(state.model, batch), batch))
            if state.learn(batch) and progress:
                progress(state.step, state.total)
    if progress:
        progress(state.total, state.total)
    return state.finish()
