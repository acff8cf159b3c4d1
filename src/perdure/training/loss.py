"""The loss of a classifier, by what the classifier returns."""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, cross_entropy, nll_loss, one_hot
from torch.nn.functional import binary_cross_entropy_with_logits as binary_cross_entropy_of_logits

from perdure.core.batch import Batch, slice_batch
from perdure.core.binding import PROBED, SAMPLES, find_outputs
from perdure.core.device import device_of
from perdure.core.errors import LabelError, OutputsWarning, UnsupportedError
from perdure.core.forward import evaluation
from perdure.core.outputs import DECLARE, Outputs, as_classes, check_outputs, declared_outputs, log_probability
from perdure.core.random import global_stream
from perdure.core.resources import row_bound
from perdure.training.predict import outputs, split_steps

__all__ = ["classification_loss", "detect_kind"]


def detect_kind(model: nn.Module, batch: Batch) -> Outputs:
    """Detect what a classifier returns, from its declaration or from its outputs for the first samples.

    Args:
        model: Classifier; called in evaluation mode, and left as it was.
        batch: Samples, of which the first 32 are used.

    Returns:
        The kind of outputs.

    Raises:
        UnsupportedError: When the outputs are numbers, or contradict their declaration.
        LabelError: When the model has one output and does not declare what it is.
        ShapeError: When the number of outputs does not fit the declaration.

    Warns:
        OutputsWarning: When several outputs are assumed to be independent probabilities.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Softmax(1))
        >>> detect_kind(model, Batch(torch.randn(4, 2), torch.zeros(4).long()))
        'probabilities'
    """
    few = slice_batch(batch, slice(0, min(SAMPLES, row_bound() or SAMPLES)))

    def compute_scaled(factor: float) -> Tensor:
        if factor == 1 or not few.inputs.is_floating_point():  # token ids cannot be scaled
            return split_steps(outputs(model, few), few)[0]
        inputs = (few.inputs[:PROBED] + 1) * factor - 1
        fewer = replace(slice_batch(few, slice(0, PROBED)), inputs=inputs)
        return split_steps(outputs(model, fewer), fewer)[0]

    device = device_of(model)
    with global_stream(torch.Generator().manual_seed(0), device), evaluation(model), torch.enable_grad():
        first = compute_scaled(1.0)
        kind = declared_outputs(model)
        if first.ndim != 2:
            return kind or "logits"  # check_label and the loss report the shape
        if kind is None:
            kind = find_outputs(first, compute_scaled)
            if kind == "independent_probabilities" and len(first) > 1 and bool((first == first[:1]).all()):
                kind = "logits"  # as of a head that begins at zero: constant outputs are no evidence of probabilities
            _check_detected(kind, first.shape[1], model)
        else:
            check_outputs(first.detach(), kind)
    if kind is None or kind == "numbers":
        raise UnsupportedError(
            f"{type(model).__name__} returns numbers, and training and losses are those of classifiers",
            "train a regression with your own loop; for a classifier " + DECLARE.format("logits"),
        )
    return kind


def _check_detected(kind: Outputs | None, width: int, model: nn.Module) -> None:
    if width == 1:
        raise LabelError(
            f"{type(model).__name__} has one output, a logit, a probability or a number, so its loss is undefined",
            f"for a classifier of two classes {DECLARE.format('logit')} or 'probability'",
        )
    if kind == "independent_probabilities":
        warnings.warn(
            f"the outputs of {type(model).__name__} lie in [0, 1] on these data and do not sum to one, so each is "
            "trained as the probability of one class by binary cross-entropy. To confirm it, "
            f"{DECLARE.format('independent_probabilities')}; otherwise outputs='logits'.",
            OutputsWarning,
            stacklevel=4,
        )


def classification_loss(
    outputs: Float[Tensor, "batch output"], kind: Outputs, label: Int[Tensor, " batch"], reduction: str = "mean"
) -> Tensor:
    """Compute the negative log-likelihood of labels under the outputs of a classifier.

    Args:
        outputs: Outputs of the classifier.
        kind: Kind of the outputs. Independent outputs have the binary cross-entropies of all of them, summed.
        label: Class of each sample.
        reduction: "mean" over the samples, or "none".

    Returns:
        The loss in nats: a number, or shape (batch,).

    Raises:
        UnsupportedError: For numbers, which have no likelihood.

    Example:
        >>> label = torch.tensor([1])
        >>> round(classification_loss(torch.tensor([[0.25, 0.75]]), "probabilities", label).exp().item(), 4)
        1.3333
        >>> round(classification_loss(torch.tensor([[0.75]]), "probability", label).exp().item(), 4)
        1.3333
    """
    single = outputs.shape[1] == 1 and kind.startswith("independent")
    kind = ("logit" if kind == "independent_logits" else "probability") if single else kind
    outputs, kind = as_classes(outputs, kind)
    if kind == "logits":
        return cross_entropy(outputs, label, reduction=reduction)
    if not kind.startswith("independent"):
        return nll_loss(log_probability(outputs, kind), label, reduction=reduction)
    truth = one_hot(label, outputs.shape[1]).to(outputs.dtype)
    binary = binary_cross_entropy_of_logits if kind == "independent_logits" else binary_cross_entropy
    losses = binary(outputs, truth, reduction="none").sum(1)
    return losses if reduction == "none" else losses.mean()
