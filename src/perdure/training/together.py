"""Several seeds in lockstep: their narrow LSTMs run as one, in little more time than one of them takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import cast

import torch
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.memory import limited_memory
from perdure.core.random import stream
from perdure.core.threads import one_thread
from perdure.data._splits import Splits
from perdure.models.recurrent import Recurrent, RecurrentClassifier
from perdure.nn.stacked import run_stacked_lstms
from perdure.ops.sequence import lengths_of
from perdure.training.course import Course, Fitted
from perdure.training.ensemble import train
from perdure.training.predict import predict
from perdure.training.settings import Training
from perdure.training.source import shuffled

__all__ = ["train_together"]


def train_together(
    config: Recurrent, splits: Sequence[Splits], settings: Training, seeds: Sequence[int]
) -> list[Fitted]:
    """Train a model from each of several seeds, the same as one after the other, up to rounding.

    Each seed has weights, order of samples, dropout and end of its own; the others do not notice. Networks that
    are not stackable, and training sets of unequal shape, are trained one after the other.

    Args:
        config: the architecture.
        splits: the data of each seed.
        settings: how to train.
        seeds: of weights, order of samples and dropout.

    Returns:
        The trained model of each seed with its history.

    Raises:
        NonFiniteError: when the loss of any seed becomes NaN or infinite.
    """
    shapes = {(some.train.inputs.shape, some.train.mask is None, len(some.classes)) for some in splits}
    if not config.stackable or len(shapes) > 1:
        return [train(config, some, settings, seed) for some, seed in zip(splits, seeds, strict=True)]
    with one_thread(), torch.random.fork_rng([]):
        lanes = [_lane(config, some, settings, seed) for some, seed in zip(splits, seeds, strict=True)]
        paths = [lane.course.batches() for lane in lanes]
        while step := [(lane, batch) for lane, path in zip(lanes, paths, strict=True) for batch in islice(path, 1)]:
            _learn(step)
    return [lane.course.fitted() for lane in lanes]


@dataclass(frozen=True, eq=False)
class _Lane:
    """One seed among others.

    Args:
        course: its training.
        dropout: keeps the random state of its dropout while others draw.
    """

    course: Course
    dropout: torch.Generator

    @property
    def model(self) -> RecurrentClassifier:
        return cast(RecurrentClassifier, self.course.model)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Lend the random state to dropout, which knows only the global one."""
        torch.default_generator.set_state(self.dropout.get_state())
        yield
        self.dropout.set_state(torch.default_generator.get_state())


def _lane(config: Recurrent, splits: Splits, settings: Training, seed: int) -> _Lane:
    with limited_memory():
        model = config.build(splits.features, len(splits.classes), stream(seed, "weights"))
    source = shuffled(splits.train, settings.batch_size, settings.min_steps)
    course = Course(model, source, splits.validation, settings, stream(seed, "training"))
    return _Lane(course, torch.Generator().manual_seed(course.dropout_seed))


def _learn(step: Sequence[tuple[_Lane, Batch]]) -> None:
    """Take a step with every seed that is not over."""
    read = [_read(lane, batch) for lane, batch in step]
    ahead = run_stacked_lstms([lane.model.lstm for lane, _ in step], [x for x, _ in read])
    losses = []
    for (lane, batch), (x, mask), outputs in zip(step, read, ahead, strict=True):
        with lane.drawing():
            logits = lane.model.finish(x, outputs, mask)
        losses.append(lane.course.loss(logits, batch))
    torch.autograd.backward(losses)
    for lane, batch in step:
        lane.course.learn(batch, _predict)


def _read(lane: _Lane, batch: Batch) -> tuple[Tensor, Tensor | None]:
    with lane.drawing():
        return lane.model.read(batch.inputs, lengths_of(batch.mask))


def _predict(model: nn.Module, batch: Batch) -> Tensor:
    """Do what `predict` does by the recurrence of the steps, which is several times as fast on many samples."""
    return predict(_Quick(cast(RecurrentClassifier, model)), batch)


class _Quick(nn.Module):
    """A stackable network that does not call its LSTM, but runs it alone as it runs beside others."""

    def __init__(self, model: RecurrentClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        read, mask = self.model.read(x, lengths)
        return self.model.finish(read, run_stacked_lstms([self.model.lstm], [read])[0], mask)
