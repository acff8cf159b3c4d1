"""Bind a target to the kind of outputs of its model, declared or detected on the data, and check it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.check import check_label
from perdure.core.errors import LabelError, OutputsWarning, ProbabilityWarning, ShapeError
from perdure.core.forward import Side, call_in_batches, evaluation, slice_side
from perdure.core.labels import as_labels
from perdure.core.outputs import (
    DECLARE,
    ONE,
    Outputs,
    check_outputs,
    declared_outputs,
    detect_outputs,
    is_affine,
    predicted_class,
    within_unit,
)
from perdure.core.target import (
    LABEL_TARGETS,
    AtStep,
    Logit,
    Signed,
    Target,
    copy_target,
    label_target,
    select_target,
    with_label_target,
)

__all__ = [
    "SAMPLES",
    "Scaled",
    "assume_outputs",
    "bind_predicted",
    "bind_target",
    "check_valid_steps",
    "find_outputs",
    "outputs_at",
]

SAMPLES, PROBED = 32, 8
"""Samples whose outputs are enough to find what a model returns, and of these those that are scaled."""

SCALES = (-1.0, 100.0, -100.0)
"""Factors of the inputs at which outputs that only happen to lie in [0, 1] on the data leave it."""

Scaled = Callable[[float], Tensor]
"""Computes the outputs of a model for a multiple of its first inputs."""


def outputs_at(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"],
    lengths: Int[Tensor, " batch"] | None,
    side: Side,
    rows: int,
) -> Scaled:
    """Prepare the outputs of a model for its first inputs, and for these shifted and scaled.

    Args:
        model: called as `model(x)`, or as `model(x, lengths=lengths)` when there are lengths.
        x: the inputs; not written to.
        lengths: valid steps of each sample.
        side: side inputs of each sample.
        rows: the most samples in one call of the model.

    Returns:
        A function from a factor to outputs, with the graph that leads to them.

    Example:
        >>> outputs_at(torch.nn.Flatten(), torch.ones(1, 2), None, {}, 1)(8.0).tolist()
        [[15.0, 15.0]]
    """

    def compute(factor: float) -> Tensor:
        few = x[: SAMPLES if factor == 1.0 else PROBED].detach().clone()
        steps, side_rows = None if lengths is None else lengths[: len(few)], slice_side(side, slice(len(few)))
        with evaluation(model), torch.enable_grad():
            few = few.requires_grad_()
            points = few if factor == 1 else (few + 1) * factor - 1  # zeros are moved too
            return call_in_batches(model, points, steps, side_rows, rows)

    return compute


def find_outputs(first: Float[Tensor, "sample output"], scaled: Scaled) -> Outputs | None:
    """Find what a model returns; only where the first outputs do not decide are more outputs computed.

    Args:
        first: outputs of the first samples.
        scaled: computes outputs (sample, output) of multiples of the inputs.

    Returns:
        The kind; None for one output that is a logit or a number.

    Example:
        >>> find_outputs(torch.tensor([[0.5, 0.5]]), lambda factor: factor * torch.tensor([[0.5, 0.5], [0.7, 0.7]]))
        'logits'
    """
    if not within_unit(first):
        return detect_outputs(first)
    table = first if is_affine(first) else scaled(1.0)
    if is_affine(table):
        return "logits" if table.shape[1] > 1 else None
    table = table.detach()
    kind = detect_outputs(table)
    if kind != "independent_probabilities":
        return kind
    for factor in SCALES:
        try:
            more = scaled(factor).detach()
        except (RuntimeError, ValueError, IndexError):  # the model does not read such inputs
            continue
        table = torch.cat([table, more[more.isfinite().all(1)]])
    return detect_outputs(table)


def assume_outputs(first: Float[Tensor, "sample output"], scaled: Scaled) -> Outputs:
    """Find what a model returns, and warn where it is assumed.

    Args:
        first: outputs of the first samples.
        scaled: computes outputs of multiples of the inputs.

    Returns:
        The kind.

    Warns:
        OutputsWarning: when it is assumed.
    """
    return _assume(find_outputs(first, scaled), first.shape[1], raw=True)


def bind_target(target: Target, model: object, batch: int, first: Tensor, scaled: Scaled) -> Target:
    """Bind a target of labels to what its model returns, and check its labels and steps.

    Args:
        target: any; functions are returned as they are.
        model: its declaration counts, where it has one.
        batch: number of samples.
        first: outputs of the first sample, or of all.
        scaled: computes more outputs where they are needed.

    Returns:
        The target, with `outputs` set and labels as int64.

    Raises:
        LabelError: when labels or steps do not fit the outputs.
        ShapeError: when outputs are not (batch, classes).
        UnsupportedError: when the outputs contradict their declaration, and for probabilities of numbers.

    Warns:
        OutputsWarning: when what the model returns is assumed.
    """
    inner = label_target(target)
    if inner is None:
        return target
    target = _with_steps(target, batch, first)
    inner = copy_target(inner, label=as_labels(inner.label, batch))
    table = _table(target, first)
    if table.ndim != 2:
        if type(inner) in LABEL_TARGETS.values():
            raise _no_classes(first)
        return with_label_target(target, copy_target(inner, outputs="logits"))
    kind = inner.outputs or declared_outputs(model)
    check_label(inner.label, batch, 2 if kind in ONE else table.shape[1])
    if kind is None:
        result = find_outputs(table, lambda factor: _table(target, scaled(factor)))
        kind = _assume(result, table.shape[1], raw=isinstance(inner, Logit))
    else:
        check_outputs(table, kind)
    inner = copy_target(inner, outputs=kind)
    if kind == "numbers":
        select_target(inner, slice(len(table)))(table.detach())  # numbers have no probabilities: raises before all work
    return with_label_target(target, inner)


def bind_predicted(model: object, outputs: Tensor, scaled: Scaled) -> Logit:
    """Make the target of the class that a model predicts for each sample.

    Args:
        model: its declaration counts, where it has one.
        outputs: Outputs for all samples.
        scaled: computes more outputs where they are needed.

    Returns:
        The target, bound to what the model returns.

    Raises:
        LabelError: when one output is a logit or a number, or outputs are numbers.
        ShapeError: when outputs are not (batch, classes).
        UnsupportedError: when the outputs contradict their declaration.

    Warns:
        OutputsWarning: when what the model returns is assumed.
    """
    if outputs.ndim != 2:
        raise _no_classes(outputs)
    kind, width = declared_outputs(model), outputs.shape[1]
    if kind is None:
        kind = find_outputs(outputs, scaled)
        if kind is None:
            raise LabelError(
                "the model has one output, a logit or a number, so the predicted class is not known",
                f"for a classifier of two classes {DECLARE.format('logit')}; for a regression give target=0",
            )
        _assume(kind, width, raw=True)
    else:
        check_outputs(outputs, kind)
    if width == 1 and kind.startswith("independent"):
        kind = "logit" if kind == "independent_logits" else "probability"
    return Logit(predicted_class(outputs, kind), kind)


def _assume(kind: Outputs | None, width: int, *, raw: bool) -> Outputs:
    """Warn of what is assumed about undeclared outputs, except that several outputs of any values are logits."""
    if kind == "probabilities" and raw:
        _warn(
            "the model returns probabilities, which are explained as they are: their gradients vanish where the model "
            "is sure. Remove the softmax from the model, or take log-odds, target=perdure.LogOdds(label), on the "
            f"command line --target log_odds; where probabilities are meant, {DECLARE.format('probabilities')}.",
            ProbabilityWarning,
        )
    if kind == "independent_probabilities" and width == 1:
        _warn(
            "the one output of the model lies in [0, 1] on these data, so it is taken as a probability and label 0 "
            f"explains it as it is. For labels 0 and 1 of two classes {DECLARE.format('probability')}; for a "
            "regression outputs='numbers'.",
            ProbabilityWarning,
        )
    elif kind == "independent_probabilities":
        _warn(
            "the outputs of the model lie in [0, 1] on these data and do not sum to one, so each is taken as a "
            f"separate probability, as it is. To confirm it, {DECLARE.format('independent_probabilities')}; "
            "otherwise outputs='logits' or 'numbers'.",
            ProbabilityWarning,
        )
    if kind is not None:
        return kind
    if not raw:  # only a classifier has probabilities, odds and margins
        return "independent_logits"
    _warn(
        "the model has one output, a logit or a number: label 0 explains this output as it is, which for a logit is "
        f"the evidence for class 1. For a classifier of two classes {DECLARE.format('logit')}; for a regression "
        "outputs='numbers'.",
        OutputsWarning,
    )
    return "numbers"


def _warn(message: str, category: type[Warning]) -> None:
    warnings.warn(message, category, stacklevel=6)


def _no_classes(outputs: Tensor) -> ShapeError:
    return ShapeError(
        f"the model returns shape {tuple(outputs[:1].shape)} for one sample",
        "wrap it so that it returns (batch, classes), or explain one step of (batch, time, classes): "
        "target=perdure.AtStep(step, perdure.Logit(label))",
    )


def _table(target: Target, outputs: Tensor) -> Tensor:
    """Take the outputs that a target of labels reads; `outputs` are those of the first samples."""
    target = select_target(target, slice(len(outputs)))
    while isinstance(target, AtStep | Signed):
        outputs = target.at_step(outputs) if isinstance(target, AtStep) else outputs
        target = target.target
    return outputs


def check_valid_steps(target: Target, lengths: Int[Tensor, " batch"] | None, steps: int) -> None:
    """Check that the step of a target of one step is not padding.

    Args:
        target: Bound target, of any kind.
        lengths: Number of valid steps of each sample; None if all are valid.
        steps: Number of steps of the padded samples.

    Raises:
        LabelError: If the step of a sample is padding.

    Example:
        >>> check_valid_steps(AtStep(torch.tensor([1, 3]), Logit(0)), torch.tensor([2, 4]), 4)
    """
    while isinstance(target, Signed):
        target = target.target
    if lengths is None or not isinstance(target, AtStep):
        return
    step, valid = as_labels(target.step, len(lengths), "step").cpu(), lengths.cpu()
    padded = torch.where(step < 0, step + steps, step) >= valid
    if padded.any():
        first = int(padded.nonzero()[0])
        raise LabelError(
            f"the step of sample {first} is {int(step[first])}, which is padding: it has {int(valid[first])} steps",
            "give one valid step for each sample, for example the last: perdure.AtStep(lengths - 1, ...)",
        )


def _with_steps(target: Target, batch: int, outputs: Tensor) -> Target:
    """Check the step of a target of one step against the outputs.

    Raises:
        LabelError: when the outputs have no such step.
    """
    if isinstance(target, Signed):
        return replace(target, target=_with_steps(target.target, batch, outputs))
    if not isinstance(target, AtStep):
        return target
    steps = as_labels(target.step, batch, "step")
    if outputs.ndim < 3:
        raise LabelError(
            f"the model returns shape {tuple(outputs[:1].shape)} for one sample, which has no steps",
            "leave AtStep out, or let the model return (batch, time, classes)",
        )
    bad = (steps < -outputs.shape[1]) | (steps >= outputs.shape[1])
    if bad.any():
        first = int(bad.nonzero()[0])
        raise LabelError(
            f"the step of sample {first} is {int(steps[first])}, but the outputs have {outputs.shape[1]} steps",
            f"give steps from 0 to {outputs.shape[1] - 1}, or negative ones from the end",
        )
    return replace(target, step=steps)
