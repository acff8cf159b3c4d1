"""What a model returns, and what follows from it: probabilities, log-odds, margins and the predicted class."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from perdure.core.errors import LabelError, ShapeError, UnsupportedError

__all__ = [
    "DECLARE",
    "Outputs",
    "as_classes",
    "check_outputs",
    "declared_outputs",
    "detect_outputs",
    "is_affine",
    "log_odds",
    "log_probability",
    "margins",
    "predict_classes",
    "predicted_class",
    "probability",
    "within_unit",
]

Outputs = Literal[
    "logits", "probabilities", "logit", "probability", "independent_logits", "independent_probabilities", "numbers"
]
"""What a model returns. Of classes that exclude each other: "logits", or "probabilities" that sum to one. One output
for two classes: the "logit" or the "probability" of the second class. Of labels that do not exclude each other:
"independent_logits" or "independent_probabilities", one output each. "numbers": regressions and forecasts."""

AFFINE = ("AddmmBackward", "MmBackward", "BmmBackward", "MvBackward", "LinearBackward", "ConvolutionBackward")
VIEWS = (
    "CatBackward",
    "CloneBackward",
    "IndexBackward",
    "ReshapeAliasBackward",
    "SelectBackward",
    "SliceBackward",
    "SqueezeBackward",
    "ToCopyBackward",
    "TransposeBackward",
    "UnsafeViewBackward",
    "UnsqueezeBackward",
    "ViewBackward",
)
"""Operations of autograd: those of layers without an activation, and those that only rearrange."""

ONE = ("logit", "probability")

DECLARE = "declare it: perdure.Adapted(model, outputs='{0}'), on the command line --outputs {0}"
"""A remedy that is right in Python and on the command line."""


def declared_outputs(model: object) -> Outputs | None:
    """Read what a model declares that it returns.

    Args:
        model: any callable; `Adapted` has its declaration as the attribute `outputs`.

    Returns:
        The kind; None without a declaration.

    Example:
        >>> declared_outputs(torch.nn.Flatten()) is None
        True
    """
    kind = getattr(model, "outputs", None)
    return kind if isinstance(kind, str) and kind in get_args(Outputs) else None  # type: ignore[return-value]


def detect_outputs(outputs: Float[Tensor, "sample output"]) -> Outputs | None:
    """Find what a model returns from its outputs for some samples.

    Args:
        outputs: Outputs for as many samples as possible.

    Returns:
        The kind. Several outputs of any values are logits; None for one output that leaves [0, 1], which is a logit or
        a number.

    Example:
        >>> detect_outputs(torch.tensor([[0.2, 0.8], [0.5, 0.5]])), detect_outputs(torch.tensor([[0.2, 0.9]]))
        ('probabilities', 'independent_probabilities')
        >>> detect_outputs(torch.tensor([[0.2, 0.8], [1.5, -0.5]])), detect_outputs(torch.tensor([[198.0]]))
        ('logits', None)
    """
    if not within_unit(outputs):
        return "logits" if outputs.shape[1] > 1 else None
    if outputs.shape[1] > 1 and _sum_to_one(outputs):
        return "probabilities"
    return "independent_probabilities"


def is_affine(outputs: Tensor) -> bool:
    """Check whether outputs come straight from a linear layer or convolution, so that they are no probabilities.

    Args:
        outputs: Outputs with their graph; without one nothing is found.

    Returns:
        True when the last operation of the graph, apart from views, is affine.

    Example:
        >>> layer = torch.nn.Linear(2, 1)
        >>> is_affine(layer(torch.ones(1, 2))[:, 0]), is_affine(layer(torch.ones(1, 2)).sigmoid())
        (True, False)
    """
    node = outputs.grad_fn
    while node is not None and node.name().startswith(VIEWS) and node.next_functions:
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith(AFFINE)


def within_unit(outputs: Tensor) -> bool:
    """Check whether all outputs lie in [0, 1], up to rounding.

    Args:
        outputs: Outputs of any shape.

    Returns:
        True when they do.
    """
    rounding = 4 * torch.finfo(outputs.dtype).eps if outputs.is_floating_point() else 0.0
    return bool(((outputs >= -rounding) & (outputs <= 1 + rounding)).all())


def check_outputs(outputs: Float[Tensor, "sample output"], kind: Outputs) -> None:
    """Check outputs against their declaration.

    Args:
        outputs: Outputs for some samples.
        kind: as declared.

    Raises:
        ShapeError: when the number of outputs does not fit the declaration.
        UnsupportedError: when declared probabilities leave [0, 1] or do not sum to one.
    """
    number = outputs.shape[1]
    if (number > 1 and kind in ONE) or (number == 1 and kind in ("logits", "probabilities")):
        several = f"independent_{'logits' if kind == 'logit' else 'probabilities'}"
        remedy = several if number > 1 else "logit" if kind == "logits" else "probability"
        raise ShapeError(
            f"the model is declared to return '{kind}' and has {number} output{'s' if number > 1 else ''}",
            DECLARE.format(remedy),
        )
    if kind.endswith(("probability", "probabilities")) and not within_unit(outputs):
        remedy = {"probability": "logit", "probabilities": "logits"}.get(kind, "independent_logits")
        raise UnsupportedError(
            f"the model is declared to return '{kind}', and gives numbers outside [0, 1], which are no probabilities",
            DECLARE.format(remedy),
        )
    if kind == "probabilities" and not _sum_to_one(outputs):
        raise UnsupportedError(
            "the model is declared to return 'probabilities', and its outputs do not sum to one",
            DECLARE.format("independent_probabilities"),
        )


def as_classes(outputs: Float[Tensor, "sample output"], kind: Outputs) -> tuple[Tensor, Outputs]:
    """Give the one output for two classes a column for each class; others stay as they are.

    Args:
        outputs: Outputs of a model.
        kind: Kind of the outputs.

    Returns:
        Outputs with a column for each class, and what these are: half of the logit with either sign are two logits
        whose softmax is the sigmoid of the one.

    Example:
        >>> as_classes(torch.tensor([[3.0]]), "logit")
        (tensor([[-1.5000,  1.5000]]), 'logits')
        >>> as_classes(torch.tensor([[0.25]]), "probability")
        (tensor([[0.7500, 0.2500]]), 'probabilities')
    """
    if kind == "logit":
        return torch.cat([-outputs, outputs], 1) / 2, "logits"
    if kind == "probability":
        return torch.cat([1 - outputs, outputs], 1), "probabilities"
    return outputs, kind


def probability(outputs: Float[Tensor, "sample output"], kind: Outputs) -> Float[Tensor, "sample class"]:
    """Compute the probability of each class; probabilities are taken as they are.

    Args:
        outputs: Outputs of a model.
        kind: Kind of the outputs.

    Returns:
        Probabilities.

    Raises:
        UnsupportedError: for numbers, which have none.

    Example:
        >>> probability(torch.tensor([[0.25, 0.75]]), "probabilities").tolist()
        [[0.25, 0.75]]
    """
    outputs, kind = _require_classes(outputs, kind)
    if kind == "logits":
        return outputs.softmax(-1)
    return outputs.sigmoid() if kind == "independent_logits" else outputs


def log_probability(outputs: Float[Tensor, "sample output"], kind: Outputs) -> Float[Tensor, "sample class"]:
    """Compute the log-probability of each class.

    Args:
        outputs: Outputs of a model; probabilities below the smallest normal number of their type count as that
            number, so that the logarithm stays finite.
        kind: Kind of the outputs.

    Returns:
        Log-probabilities, in nats.

    Raises:
        UnsupportedError: for numbers, which have none.

    Example:
        >>> log_probability(torch.tensor([[1.0, 0.0]]), "probabilities")
        tensor([[  0.0000, -87.3365]])
    """
    outputs, kind = _require_classes(outputs, kind)
    if kind == "logits":
        return outputs.log_softmax(-1)
    return logsigmoid(outputs) if kind == "independent_logits" else _log(outputs)


def log_odds(
    outputs: Float[Tensor, "sample output"], kind: Outputs, label: Int[Tensor, " sample"]
) -> Float[Tensor, " sample"]:
    """Compute the log-odds of one class of each sample.

    Args:
        outputs: Outputs of a model; probabilities are kept from zero as in `log_probability`.
        kind: Kind of the outputs.
        label: the class of each sample.

    Returns:
        Log-odds, in nats.

    Raises:
        UnsupportedError: for numbers, which have none.

    Example:
        >>> log_odds(torch.tensor([[0.25, 0.75]]), "probabilities", torch.tensor([1])).exp().item()
        3.0
    """
    outputs, kind = _require_classes(outputs, kind)
    if kind.startswith("independent"):
        odds = outputs if kind == "independent_logits" else _log(outputs) - _log(1 - outputs)
        return _pick(odds, label)
    rest = outputs.scatter(-1, label[:, None], -torch.inf if kind == "logits" else 0.0)
    if kind == "logits":
        return _pick(outputs, label) - rest.logsumexp(-1)
    return _log(_pick(outputs, label)) - _log(rest.sum(-1))


def margins(
    outputs: Float[Tensor, "sample output"], kind: Outputs, label: Int[Tensor, " sample"]
) -> Float[Tensor, " sample"]:
    """Subtract the largest other logit from the logit of one class of each sample.

    Args:
        outputs: Outputs of a model; the logits of probabilities are their logarithms, those of independent
            probabilities their log-odds; a single output is compared with even odds, whose logit is zero.
        kind: Kind of the outputs.
        label: the class of each sample.

    Returns:
        Differences of logits.

    Raises:
        UnsupportedError: for numbers, which have no logits.

    Example:
        >>> margins(torch.tensor([[1.0, 4.0, 2.5]]), "logits", torch.tensor([1])).tolist()
        [1.5]
    """
    outputs, kind = _require_classes(outputs, kind)
    if kind == "probabilities":
        outputs = _log(outputs)
    elif kind == "independent_probabilities":
        outputs = _log(outputs) - _log(1 - outputs)
    if outputs.shape[1] == 1:
        return _pick(outputs, label)
    rest = outputs.scatter(-1, label[:, None], -torch.inf)
    return _pick(outputs, label) - rest.amax(-1)


def predicted_class(outputs: Float[Tensor, "sample output"], kind: Outputs) -> Int[Tensor, " sample"]:
    """Find the class that a model predicts for each sample.

    Args:
        outputs: Outputs of a model.
        kind: Kind of the outputs.

    Returns:
        The most probable class; of one output for two classes 1 where that is positive, or above one half.

    Raises:
        LabelError: for numbers, which predict no class.

    Example:
        >>> predicted_class(torch.tensor([[-0.1], [0.2]]), "logit").tolist()
        [0, 1]
    """
    if kind == "numbers":
        raise LabelError("the model returns numbers, which predict no class", "give the number of the output, target=0")
    if outputs.shape[1] == 1 and kind.startswith("independent"):
        kind = "logit" if kind == "independent_logits" else "probability"
    return as_classes(outputs, kind)[0].argmax(1)


def predict_classes(model: object, outputs: Float[Tensor, "sample output"]) -> Int[Tensor, " sample"]:
    """Find the class that a model predicts for each sample, by its declaration; else by its largest output.

    Args:
        model: Any callable.
        outputs: Its outputs.

    Returns:
        Classes, on the device of the outputs.

    Raises:
        LabelError: for numbers, and for one output without a declaration.
        ShapeError: when outputs are not (sample, output).

    Example:
        >>> predict_classes(None, torch.tensor([[0.2, 0.8], [3.0, 0.0]])).tolist()
        [1, 0]
    """
    if outputs.ndim != 2:
        raise ShapeError(
            f"the model returns shape {tuple(outputs.shape[1:])} for each sample, not one number for each class",
            "choose a step or an output, perdure.Adapted(model, step=-1) or output=, with (batch, classes)",
        )
    kind = declared_outputs(model)
    if kind is None and outputs.shape[1] == 1:
        raise LabelError(
            "the model has one output, a logit, a probability or a number, so it predicts no class",
            f"for a classifier of two classes {DECLARE.format('logit')} or 'probability'",
        )
    return predicted_class(outputs, kind or "logits")


def _require_classes(outputs: Tensor, kind: Outputs) -> tuple[Tensor, Outputs]:
    if kind == "numbers":
        raise UnsupportedError(
            "the model returns numbers, which have no probabilities, log-odds or margins",
            "explain the number itself: target=0, on the command line --target logit; for a classifier "
            + DECLARE.format("logits"),
        )
    return as_classes(outputs, kind)


def _sum_to_one(outputs: Tensor) -> bool:
    tolerance = max(1e-4, 4 * torch.finfo(outputs.dtype).eps)
    return bool(((outputs.sum(1) - 1).abs() < tolerance).all())


def _log(probabilities: Tensor) -> Tensor:
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def _pick(values: Tensor, label: Tensor) -> Tensor:
    return values.gather(-1, label[:, None])[:, 0]
