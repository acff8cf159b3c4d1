"""The training loop: the weights that do best on the validation samples."""

from __future__ import annotations

import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.device import device_of
from perdure.core.random import global_stream
from perdure.training.course import Course, Fitted, Progress
from perdure.training.predict import outputs
from perdure.training.settings import Training
from perdure.training.source import Source

__all__ = ["fit"]


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
    course = Course(model, source, validation, settings, generator)
    with global_stream(torch.Generator().manual_seed(course.dropout_seed), device_of(model)):
        for batch in course.batches():
            torch.autograd.backward(course.loss(outputs(course.model, batch), batch))
            if course.learn(batch) and progress:
                progress(course.step, course.total)
    if progress:
        progress(course.total, course.total)
    return course.fitted()
