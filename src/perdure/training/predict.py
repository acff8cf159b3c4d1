"""What a model predicts, and how often it is right."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.call import call_model, side_inputs, side_of
from perdure.core.device import device_of
from perdure.core.evaluation import evaluation
from perdure.core.memory import row_bound
from perdure.ops.sequence import lengths_of

__all__ = ["accuracy", "errors", "outputs", "predict"]

_ROWS = 1000
_NUMBERS = 10_000_000
"""The most samples, and the most numbers in them, sent through a model at once where no gradient is needed."""


def predict(model: nn.Module, batch: Batch, batch_size: int | None = None) -> Float[Tensor, "batch classes"]:
    """Compute the outputs of a model in evaluation mode; the model is left as it was.

    Args:
        model: called as `model(x)`, or as `model(x, lengths=lengths)` when the batch has a mask.
        batch: the samples.
        batch_size: most samples in one call; None for a number that suits their size.

    Returns:
        Logits, on the device of the model.
    """
    rows = batch_size or row_bound() or max(1, min(_ROWS, _NUMBERS // batch.inputs[0].numel()))
    with evaluation(model), torch.no_grad():
        return torch.cat([outputs(model, batch, slice(at, at + rows)) for at in range(0, len(batch), rows)])


def outputs(model: nn.Module, batch: Batch, some: slice = slice(None)) -> Float[Tensor, "some classes"]:
    """Call a model as it is on some samples.

    Args:
        model: as in `predict`.
        batch: the samples, on any device.
        some: which of them.

    Returns:
        Logits, on the device of the model.
    """
    x, lengths = batch.inputs.to(device_of(model)), lengths_of(batch.mask)
    lengths = None if lengths is None else lengths.to(x.device)
    side = side_of(side_inputs(model, x, lengths), some)
    return call_model(model, x[some], None if lengths is None else lengths[some], side)


def errors(logits: Float[Tensor, "batch classes"], batch: Batch) -> int:
    """Count the samples whose largest logit is not that of their label.

    Args:
        logits: the outputs of a model.
        batch: the samples.

    Returns:
        Their number.
    """
    return int((logits.argmax(1) != batch.label.to(logits.device)).sum())


def accuracy(model: nn.Module, batch: Batch) -> float:
    """Measure how often the largest logit is that of the label.

    Args:
        model: as in `predict`.
        batch: the samples.

    Returns:
        A share, from 0 to 1.

    Example:
        >>> accuracy(nn.Identity(), Batch(torch.eye(4), torch.tensor([0, 1, 2, 0])))
        0.75
    """
    return (len(batch) - errors(predict(model, batch), batch)) / len(batch)
