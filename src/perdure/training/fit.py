"""The training loop: the weights that do best on the validation samples."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from perdure.core.batch import Batch
from perdure.core.check import check_inputs, check_label
from perdure.core.errors import NonFiniteError, SettingError
from perdure.training.predict import device_of, errors, outputs, predict
from perdure.training.settings import Training
from perdure.training.source import Source

__all__ = ["Check", "Fitted", "Progress", "fit"]

Progress = Callable[[int, int], None]
"""Told how many steps are done, and how many there are at most."""


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


def fit(
    model: nn.Module,
    source: Source,
    validation: Batch,
    settings: Training,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> Fitted:
    """Train a copy of a model and keep the weights that do best on the validation samples.

    Everything that is drawn, dropout included, follows from the generator; the global random state is neither
    read nor changed.

    Args:
        model: where training starts; it stays as it is.
        source: the training samples.
        validation: the samples to choose by.
        settings: how to train.
        generator: the stream of shuffling, drawing and dropout.
        progress: told after each check, and at the end.

    Returns:
        The trained copy with its history.

    Raises:
        DataError: when inputs or labels are not usable; `NonFiniteError` when the loss becomes NaN or infinite.
        SettingError: when training is to stop at a training accuracy, but there is no training set.
    """
    _check_data(source, validation, settings)
    model = copy.deepcopy(model).train()
    total = settings.epochs * source.steps
    every = settings.check_every or source.steps
    history: list[Check] = []
    losses: list[float] = []
    best, weights = 0, _weights(model)
    with _own_random_state(generator, device_of(model)):
        for step, batch, loss in _steps(model, source, settings, generator):
            losses.append(loss)
            if step % every and step < total:
                continue
            history.append(_look(model, validation, settings, step, losses))
            losses.clear()
            if len(history) == 1 or _better(history[-1], history[best], settings):
                best, weights = len(history) - 1, _weights(model)
            if progress:
                progress(step, total)
            if _is_over(settings, len(history) - 1 - best) or _is_learnt(model, batch, source, settings):
                break
    if progress:
        progress(total, total)
    model.load_state_dict(weights)
    return Fitted(model.eval(), tuple(history), best)


def _steps(
    model: nn.Module, source: Source, settings: Training, generator: torch.Generator
) -> Iterator[tuple[int, Batch, float]]:
    """Take all optimiser steps; after each, give its number from 1, its batch and its loss."""
    optimiser = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    rate = _rate(optimiser, settings, settings.epochs * source.steps)
    step = 0
    for _ in range(settings.epochs):
        for batch in source.epoch(generator):
            step += 1
            loss = _loss(outputs(model, batch), batch, settings)
            value = _finite(loss, "training", step, settings)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            if settings.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            rate.step()
            yield step, batch, value


def _rate(optimiser: torch.optim.Optimizer, settings: Training, total: int) -> LRScheduler:
    if settings.schedule == "constant":
        return ConstantLR(optimiser, factor=1.0)
    return OneCycleLR(optimiser, settings.learning_rate, total_steps=total + 1, cycle_momentum=False)


def _loss(logits: Tensor, batch: Batch, settings: Training) -> Tensor:
    check_label(batch.label, len(batch), logits.shape[1])
    scores = logits.softmax(1) if settings.loss == "published" else logits
    return cross_entropy(scores, batch.label.to(logits.device))


def _look(model: nn.Module, validation: Batch, settings: Training, step: int, losses: list[float]) -> Check:
    logits = predict(model, validation)
    loss = _finite(_loss(logits, validation, settings), "validation", step, settings)
    right = len(validation) - errors(logits, validation)
    return Check(step, sum(losses) / len(losses), loss, right / len(validation))


def _better(check: Check, best: Check, settings: Training) -> bool:
    if settings.select == "accuracy":
        return check.validation_accuracy > best.validation_accuracy
    return check.validation_loss < best.validation_loss


def _is_over(settings: Training, worse: int) -> bool:
    return settings.patience is not None and worse >= settings.patience


def _is_learnt(model: nn.Module, batch: Batch, source: Source, settings: Training) -> bool:
    """Tell whether the training accuracy is reached; errors in the last batch alone may rule it out."""
    if settings.stop_at is None or source.whole is None:
        return False
    count = len(source.whole)
    at_most = ((count - errors(predict(model, part), part)) / count for part in (batch, source.whole))
    return all(share >= settings.stop_at for share in at_most)


def _check_data(source: Source, validation: Batch, settings: Training) -> None:
    check_inputs(validation.inputs, "the validation inputs")
    if source.whole is not None:
        check_inputs(source.whole.inputs, "the training inputs")
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


@contextmanager
def _own_random_state(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Let dropout, which knows only the global state, draw from a seed of the generator."""
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.default_generator.manual_seed(seed)
        for one in cuda:
            with torch.cuda.device(one):
                torch.cuda.manual_seed(seed)
        yield
