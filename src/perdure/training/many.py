"""Train from many seeds: in lockstep, or as jobs that may fail without stopping the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.errors import NonFiniteError
from perdure.core.exclusive import exclusive
from perdure.core.random import stream
from perdure.core.resources import limited_memory, single_thread
from perdure.data._splits import Splits
from perdure.models.recurrent import Recurrent, RecurrentClassifier
from perdure.nn.stacked import run_stacked_lstms
from perdure.ops.sequence import lengths_of
from perdure.records.files import write_text
from perdure.training.batches import shuffle_batches
from perdure.training.loop import Fitted, TrainingState
from perdure.training.predict import predict
from perdure.training.settings import Training
from perdure.training.train import Runs, train

__all__ = ["TrainingJobs", "read_failure", "train_together"]


def train_together(
    config: Recurrent, splits: Sequence[Splits], settings: Training, seeds: Sequence[int]
) -> list[Fitted]:
    """Train a model from each of several seeds, the same as one after the other, up to rounding.

    Each seed has its own weights, order of samples, dropout and end, independent of the other seeds. Networks that
    are not stackable, and training sets of unequal shape, are trained one after the other. The narrow LSTMs of all
    seeds run as one, in little more time than a single one takes.

    Args:
        config: Architecture.
        splits: Data of each seed.
        settings: Settings of training.
        seeds: Seeds of weights, order of samples and dropout.

    Returns:
        The trained model of each seed with its history.

    Raises:
        NonFiniteError: When the loss of any seed becomes NaN or infinite.
    """
    shapes = {(data.train.inputs.shape, data.train.mask is None, len(data.classes)) for data in splits}
    if not config.stackable or len(shapes) > 1:
        return [train(config, data, settings, seed) for data, seed in zip(splits, seeds, strict=True)]
    with exclusive(), single_thread(), torch.random.fork_rng([]):
        lanes = [_make_lane(config, data, settings, seed) for data, seed in zip(splits, seeds, strict=True)]
        paths = [lane.state.batches() for lane in lanes]
        while step := [(lane, batch) for lane, path in zip(lanes, paths, strict=True) for batch in islice(path, 1)]:
            _learn(step)
    return [lane.state.finish() for lane in lanes]


@dataclass(frozen=True, eq=False)
class _Lane:
    """The training of one seed.

    Args:
        state: State of the training.
        dropout: Generator that keeps the random state of dropout between steps.
    """

    state: TrainingState
    dropout: torch.Generator

    @property
    def model(self) -> RecurrentClassifier:
        return cast(RecurrentClassifier, self.state.model)

    @contextmanager
    def restore_dropout(self) -> Iterator[None]:
        """Set the global random state, which dropout reads, for one forward pass."""
        torch.default_generator.set_state(self.dropout.get_state())
        yield
        self.dropout.set_state(torch.default_generator.get_state())


def _make_lane(config: Recurrent, splits: Splits, settings: Training, seed: int) -> _Lane:
    with limited_memory():
        model = config.build(splits.features, len(splits.classes), stream(seed, "weights"))
    source = shuffle_batches(splits.train, settings.batch_size, settings.min_steps)
    state = TrainingState(model, source, splits.validation, settings, stream(seed, "training"))
    return _Lane(state, torch.Generator().manual_seed(state.dropout_seed))


def _learn(step: Sequence[tuple[_Lane, Batch]]) -> None:
    """Take a step with every seed whose training is not over."""
    read = [_read(lane, batch) for lane, batch in step]
    ahead = run_stacked_lstms([lane.model.lstm for lane, _ in step], [x for x, _ in read])
    losses = []
    for (lane, batch), (x, mask), outputs in zip(step, read, ahead, strict=True):
        with lane.restore_dropout():
            logits = lane.model.finish(x, outputs, mask)
        losses.append(lane.state.loss(logits, batch))
    torch.autograd.backward(losses)
    for lane, batch in step:
        lane.state.learn(batch, _predict)


def _read(lane: _Lane, batch: Batch) -> tuple[Tensor, Tensor | None]:
    with lane.restore_dropout():
        return lane.model.read(batch.inputs, lengths_of(batch.mask))


def _predict(model: nn.Module, batch: Batch) -> Tensor:
    """Compute what `predict` does by the stacked recurrence, which is several times as fast on many samples."""
    return predict(_Stacked(cast(RecurrentClassifier, model)), batch)


class _Stacked(nn.Module):
    """A stackable network whose LSTM runs by the stacked recurrence, as in training."""

    def __init__(self, model: RecurrentClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        read, mask = self.model.read(x, lengths)
        return self.model.finish(read, run_stacked_lstms([self.model.lstm], [read])[0], mask)


_FAILED = "failed.txt"


@dataclass(frozen=True, eq=False)
class TrainingJobs:
    """The training runs of an ensemble, of which one whose loss is not finite writes a note instead of a checkpoint.

    As a run is a function of its seed, one that failed is not repeated.

    Args:
        runs: Training runs.
    """

    runs: Runs

    def __call__(self, seed: int) -> None:
        """Train one model, and store it or the cause of its failure.

        Args:
            seed: Seed of the run.
        """
        place = self.runs.place(seed)
        if read_failure(place) is not None:
            return
        try:
            self.runs(seed)
        except NonFiniteError as error:
            write_text(place / _FAILED, f"{error}\n")


def read_failure(folder: Path) -> str | None:
    """Read the cause of a failed run.

    Args:
        folder: Folder of the run.

    Returns:
        The cause and its remedy; None for a run that did not fail.
    """
    path = folder / _FAILED
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else None
