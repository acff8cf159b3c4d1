"""The course of a training: what one step follows from, what the checks found, and when it is over."""

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
from perdure.core.check import check_label, check_read
from perdure.core.copy import copy_module
from perdure.core.errors import NonFiniteError, SettingError, UnsupportedError
from perdure.training.predict import errors, predict
from perdure.training.settings import Training
from perdure.training.source import Source

__all__ = ["Check", "Course", "Fitted", "Predict", "Progress"]

Progress = Callable[[int, int], None]
"""Told how many steps are done, and how many there are at most."""

Predict = Callable[[nn.Module, Batch], Tensor]
"""Computes the outputs of a model in evaluation mode, as `predict` does."""


@dataclass(frozen=True)
class Check:
    """A look at the model during training.

    Args:
        step: optimiser steps so far.
        loss: mean training loss of the steps since the last check, with dropout.
        validation_loss: mean over the validation samples.
        validation_accuracy: share of validation samples whose largest logit is that of their label.
    """

    step: int
    loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model and how it got there.

    Args:
        model: in evaluation mode, with the best weights.
        history: the checks, in order.
        best: position in `history` of the check whose weights the model has.
    """

    model: nn.Module
    history: tuple[Check, ...]
    best: int


class Course:
    """One training under way; a loop gives it the outputs of its model for each of its batches.

    A step is `loss`, a backward pass, and `learn`. The course itself draws only from its generator: the order of
    the samples, and once the seed of dropout.

    Args:
        model: where training starts; a copy is trained.
        source: the training samples.
        validation: the samples to choose by.
        settings: how to train.
        generator: the stream of shuffling, drawing and dropout.

    Raises:
        DataError: when inputs are not usable.
        SettingError: when training is to stop at a training accuracy, but there is no training set.
        UnsupportedError: when the model cannot be copied, or has no weights to train.
    """

    def __init__(
        self, model: nn.Module, source: Source, validation: Batch, settings: Training, generator: torch.Generator
    ) -> None:
        _check_data(source, validation, settings)
        self.model = _copy_for_training(model)
        self.step, self.total = 0, settings.epochs * source.steps
        self.is_over = False
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
        """Draw the batches of all steps, until the course is over.

        Yields:
            The samples of a step.
        """
        for _ in range(self._settings.epochs):
            for batch in self._source.epoch(self._generator):
                yield batch
                if self.is_over:
                    return

    def loss(self, logits: Float[Tensor, "batch classes"], batch: Batch) -> Float[Tensor, ""]:
        """Begin a step: compute and note its loss, and forget the gradients of the step before.

        Args:
            logits: the outputs of the model.
            batch: the samples of the step.

        Returns:
            The loss, to go backward from.

        Raises:
            NonFiniteError: when it is NaN or infinite.
        """
        self.step += 1
        loss = _loss(logits, batch, self._settings)
        self._losses.append(_finite(loss, "training", self.step, self._settings))
        self._optimiser.zero_grad()
        return loss

    def learn(self, batch: Batch, predict: Predict = predict) -> bool:
        """End a step: change the weights by their gradients, and check the model when that is due.

        Args:
            batch: the samples of the step.
            predict: how the checks ask the model.

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

    def fitted(self) -> Fitted:
        """Give the model its best weights.

        Returns:
            The trained copy with its history.
        """
        self.model.load_state_dict(self._weights)
        return Fitted(self.model.eval(), tuple(self._history), self._best)

    def _check(self, predict: Predict) -> None:
        """Look at the model, and keep its weights when it is the best so far."""
        logits = predict(self.model, self._validation)
        loss = _finite(_loss(logits, self._validation, self._settings), "validation", self.step, self._settings)
        right = len(self._validation) - errors(logits, self._validation)
        mean = sum(self._losses) / len(self._losses)
        self._losses.clear()
        self._history.append(Check(self.step, mean, loss, right / len(self._validation)))
        if len(self._history) == 1 or _is_better(self._history[-1], self._history[self._best], self._settings):
            self._best, self._weights = len(self._history) - 1, _weights(self.model)

    def _is_out_of_patience(self) -> bool:
        patience = self._settings.patience
        return patience is not None and len(self._history) - 1 - self._best >= patience

    def _is_learnt(self, batch: Batch, predict: Predict) -> bool:
        """Tell whether the training accuracy is reached; errors in the last batch alone may rule it out."""
        whole, stop_at = self._source.whole, self._settings.stop_at
        if stop_at is None or whole is None:
            return False
        at_most = ((len(whole) - errors(predict(self.model, part), part)) / len(whole) for part in (batch, whole))
        return all(share >= stop_at for share in at_most)


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


def _loss(logits: Tensor, batch: Batch, settings: Training) -> Tensor:
    check_label(batch.label, len(batch), logits.shape[1])
    scores = logits.softmax(1) if settings.loss == "published" else logits
    return cross_entropy(scores, batch.label.to(logits.device))


def _is_better(check: Check, best: Check, settings: Training) -> bool:
    if settings.select == "accuracy":
        return check.validation_accuracy > best.validation_accuracy
    return check.validation_loss < best.validation_loss


def _check_data(source: Source, validation: Batch, settings: Training) -> None:
    check_read(validation.inputs, "the validation inputs")
    if source.whole is not None:
        check_read(source.whole.inputs, "the training inputs")
    elif settings.stop_at is not None:
        raise SettingError(
            f"stop_at is {settings.stop_at}, but samples are drawn afresh, so there is no training set",
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
