"""Declare and check what a model returns."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from perdure.core.abilities import HasEmbedding
from perdure.core.batch import Batch, slice_batch
from perdure.core.binding import SAMPLES, assume_outputs, outputs_at
from perdure.core.errors import NonFiniteError, PerdureError, ShapeError, UnsupportedError, user_code_errors
from perdure.core.forward import call_model, evaluation, side_inputs
from perdure.core.outputs import ONE, Outputs, check_outputs, declared_outputs
from perdure.core.resources import row_limit
from perdure.models._adapted import Adapted, adapt, unwrap
from perdure.models._embed import embed_batch
from perdure.ops.sequence import lengths_of

__all__ = ["check_model", "declare", "declare_detected", "outputs_of"]


def declare(model: nn.Module, outputs: Outputs | None) -> nn.Module:
    """Declare what a model returns.

    Args:
        model: Model; an earlier declaration is replaced.
        outputs: Kind of outputs, as in `Adapted`; None leaves the model as it is.

    Returns:
        The model, adapt where it has no calling convention of perdure.

    Raises:
        UnsupportedError: When one output for two classes is declared of a model with methods of such a convention.

    Example:
        >>> declare(nn.Linear(2, 3), "independent_logits").outputs
        'independent_logits'
    """
    if outputs is None:
        return model
    model = adapt(model)
    if isinstance(model, Adapted):
        model.declared, model.binary = outputs, None
    elif outputs in ONE:
        raise UnsupportedError(
            f"{type(model).__name__} has methods that return its one output, which cannot be made two",
            "let it return two outputs, [-z, z] / 2 of a logit or [1 - p, p] of a probability",
        )
    else:
        model.outputs = outputs  # type: ignore[assignment]  # read by declared_outputs
    return model


def declare_detected(model: nn.Module, batch: Batch) -> nn.Module:
    """Declare what an undeclared model returns on some samples, so that it is detected, and warned of, once.

    Args:
        model: Model that returns (batch, classes).
        batch: Samples.

    Returns:
        The model with a declaration.

    Raises:
        UnsupportedError: When the outputs contradict an earlier declaration.

    Warns:
        OutputsWarning: When what the model returns is assumed.
    """
    few = embed_batch(model, slice_batch(batch, slice(0, SAMPLES)))
    lengths = lengths_of(few.mask)
    side = side_inputs(model, few.inputs, lengths)
    scaled = outputs_at(model, few.inputs, lengths, side, row_limit(few.inputs))
    known = declared_outputs(model)
    if known is not None:
        check_outputs(scaled(1.0).detach(), known)
        return model
    return declare(model, assume_outputs(scaled(1.0), scaled))


def outputs_of(model: nn.Module) -> Outputs | None:
    """Read the declaration of a model as it was made.

    Args:
        model: Model.

    Returns:
        The kind; None without a declaration.
    """
    own = model.declared if isinstance(model, Adapted) else None
    return own or declared_outputs(model)


CHECKED = 2
SAME = 1e-3
"""Largest difference between logits from embeddings and from ids, in multiples of the largest logit."""


def check_model(model: nn.Module, batch: Batch, classes: int) -> None:
    """Check that a model returns logits (batch, classes), and from embeddings the same as from token ids.

    Args:
        model: Model that will be explained.
        batch: Samples like those that will be explained.
        classes: Number of classes.

    Raises:
        UnsupportedError: When the model raises, returns no tensor, is on several devices, or returns other outputs
            from embeddings than from token ids.
        ShapeError: When its outputs have another shape.
        NonFiniteError: When they are not finite.
    """
    devices = sorted({str(weight.device) for weight in model.parameters()})
    if len(devices) > 1:
        raise UnsupportedError(
            f"the weights of {type(model).__name__} are on {', '.join(devices)}", "move the model to one device"
        )
    few = slice_batch(batch, slice(0, CHECKED))
    few = replace(few, inputs=few.inputs.to(devices[0] if devices else few.inputs.device))
    logits = _call_checked(model, few, classes)
    _check_outputs(model, logits, few, classes)
    if not few.inputs.is_floating_point() and isinstance(model, HasEmbedding):
        _check_same(logits, _call_checked(model, embed_batch(model, few), classes), model)


def _call_checked(model: nn.Module, batch: Batch, classes: int) -> Tensor:
    subject = f"the model, called with inputs {tuple(batch.inputs.shape)},"
    remedy = partial(_remedy, model, batch, classes)
    with evaluation(model), torch.no_grad(), user_code_errors(UnsupportedError, subject, remedy):
        logits = _call(model, batch)
    if not isinstance(logits, Tensor):
        raise UnsupportedError(
            f"{type(model).__name__} returns {type(logits).__name__}", "select the logits: perdure.Adapted(model)"
        )
    return logits


def _call(model: nn.Module, batch: Batch) -> Tensor:
    lengths = lengths_of(batch.mask)
    return call_model(model, batch.inputs, lengths, side_inputs(model, batch.inputs, lengths))


def _remedy(model: nn.Module, batch: Batch, classes: int) -> str:
    """Find the remedy: the precision of weights, and series with the features first, are usual causes."""
    x = batch.inputs
    weight = next((weight for weight in model.parameters() if weight.is_floating_point()), None)
    if weight is not None and x.is_floating_point() and weight.dtype != x.dtype:
        return f"its weights are {weight.dtype}, the data {x.dtype}: let the factory return model.to({x.dtype})"
    if x.ndim != 3:
        return "let it take the inputs of the data, and lengths= where the data have padding"
    if isinstance(model, Adapted) and model.layout == "channels_last":
        turned = Adapted(model.model, output=model.output, layout="channels_first", step=model.step, given=model.given)
        with suppress(RuntimeError, ValueError, TypeError, IndexError, PerdureError):
            if _call(turned, batch).shape == (len(x), classes):
                return (
                    "it reads series as (batch, feature, time): return perdure.Adapted(model, layout='channels_first')"
                )
    return f"let it take series (batch, time, feature); here there are {x.shape[2]} features"


def _check_outputs(model: nn.Module, logits: Tensor, batch: Batch, classes: int) -> None:
    wanted = (len(batch), classes)
    if logits.shape != wanted:
        raise ShapeError(
            f"{type(unwrap(model)).__name__} returns outputs of shape {tuple(logits.shape)} for "
            f"{len(batch)} samples of {classes} classes",
            _advice(tuple(logits.shape), batch, classes),
        )
    if not torch.isfinite(logits).all():
        raise NonFiniteError(
            f"{type(unwrap(model)).__name__} returns NaN or infinity", "check its weights, and the scale of the data"
        )


def _advice(shape: tuple[int, ...], batch: Batch, classes: int) -> str:
    """Find the remedy for the shape of wrong outputs."""
    steps = batch.inputs.shape[1]
    if len(shape) == 3 and shape[1] == steps:
        return "it has an output for every step: select one, perdure.Adapted(model, step='last') or a number"
    if classes == 2 and shape in {(len(batch),), (len(batch), 1)}:
        return (
            "declare what its one output is, perdure.Adapted(model, outputs='logit') or 'probability', on the command "
            "line --outputs logit; or return two logits"
        )
    return f"let it return logits {(len(batch), classes)}; a factory may take classes, make(features, classes)"


def _check_same(by_ids: Tensor, by_embeddings: Tensor, model: nn.Module) -> None:
    gap = (by_ids - by_embeddings).abs().max() / by_ids.abs().max().clamp_min(1.0)
    if gap > SAME:
        raise UnsupportedError(
            f"{type(model).__name__} returns other logits from embeddings than from their token ids",
            "let forward treat embed(ids) as it treats ids; of models that read the last token, which cannot be "
            "found among embeddings, explain texts of one length",
        )
