"""What a model predicts, and how often it is right."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.device import device_of
from perdure.core.forward import call_model, evaluation, side_inputs, slice_side
from perdure.core.outputs import Outputs, predict_classes, predicted_class
from perdure.core.resources import row_bound
from perdure.ops.sequence import lengths_of

__all__ = ["accuracy", "count_labels", "errors", "outputs", "predict", "split_steps"]

_ROWS = 1000
_NUMBERS = 10_000_000
"""The most samples, and the most numbers in them, sent through a model at once where no gradient is needed."""


def predict(model: nn.Module, batch: Batch, batch_size: int | None = None) -> Float[Tensor, "batch classes"]:
    """Compute the outputs of a model in evaluation mode; the model is left as it was.

    Args:
        model: Model; called as `model(x)`, or as `model(x, lengths=lengths)` when the batch has a mask.
        batch: Samples.
        batch_size: Most samples in one call; None for a number that suits their size.

    Returns:
        Outputs, on the device of the model.
    """
    rows = batch_size or row_bound() or max(1, min(_ROWS, _NUMBERS // batch.inputs[0].numel()))
    with evaluation(model), torch.no_grad():
        return torch.cat([outputs(model, batch, slice(at, at + rows)) for at in range(0, len(batch), rows)])


def outputs(model: nn.Module, batch: Batch, index: slice = slice(None)) -> Float[Tensor, "selected classes"]:
    """Call a model, in its present mode, on selected samples.

    Args:
        model: Model, called as in `predict`.
        batch: Samples, on any device.
        index: Samples to select.

    Returns:
        Outputs, on the device of the model.
    """
    x, lengths = batch.inputs.to(device_of(model)), lengths_of(batch.mask)
    lengths = None if lengths is None else lengths.to(x.device)
    side = slice_side(side_inputs(model, x, lengths), index)
    return call_model(model, x[index], None if lengths is None else lengths[index], side)


def split_steps(
    outputs: Float[Tensor, "batch *step output"], batch: Batch
) -> tuple[Float[Tensor, "row output"], Int[Tensor, " row"]]:
    """Lay outputs and labels of steps out as rows, valid steps alone; where each sample has one label nothing changes.

    Args:
        outputs: Outputs of a model, one row per sample or per step.
        batch: Samples with their labels.

    Returns:
        One row of outputs for each label, and the labels on the same device.

    Example:
        >>> batch = Batch(torch.zeros(1, 2, 1), torch.tensor([[0, 1]]), torch.tensor([[True, False]]))
        >>> split_steps(torch.tensor([[[3.0, 1.0], [2.0, 4.0]]]), batch)
        (tensor([[3., 1.]]), tensor([0]))
    """
    label = batch.label.to(outputs.device)
    if outputs.ndim != 3 or label.shape != outputs.shape[:2]:
        return outputs, label
    valid = torch.ones_like(label, dtype=torch.bool) if batch.mask is None else batch.mask.to(outputs.device)
    return outputs[valid], label[valid]


def count_labels(batch: Batch) -> int:
    """Count the labels of samples, or of their valid steps.

    Args:
        batch: Samples.

    Returns:
        The number.

    Example:
        >>> count_labels(Batch(torch.zeros(2, 3, 1), torch.zeros(2, 3).long()))
        6
    """
    return batch.label.numel() if batch.label.ndim == 1 or batch.mask is None else int(batch.mask.sum())


def errors(outputs: Float[Tensor, "batch output"], batch: Batch, kind: Outputs = "logits") -> int:
    """Count the samples, or their valid steps, whose predicted class is not their label.

    Args:
        outputs: Outputs of a classifier.
        batch: Samples.
        kind: Kind of the outputs.

    Returns:
        The number.

    Example:
        >>> errors(torch.tensor([[0.4], [0.9]]), Batch(torch.zeros(2, 1), torch.tensor([0, 0])), "probability")
        1
    """
    rows, label = split_steps(outputs, batch)
    return int((predicted_class(rows, kind) != label).sum())


def accuracy(model: nn.Module, batch: Batch) -> float:
    """Measure how often the predicted class is the label, over samples or over their valid steps.

    Args:
        model: Classifier, called as in `predict`.
        batch: Samples.

    Returns:
        A fraction, from 0 to 1.

    Raises:
        LabelError: When the model has one output and does not declare what it is, or returns numbers.

    Example:
        >>> accuracy(nn.Identity(), Batch(torch.eye(4), torch.tensor([0, 1, 2, 0])))
        0.75
    """
    rows, label = split_steps(predict(model, batch), batch)
    return int((predict_classes(model, rows) == label).sum()) / len(label)
