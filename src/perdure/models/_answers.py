"""Whether a model answers as explanations need it: asked once, of two samples, before anything else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from perdure.core.abilities import HasEmbedding
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import NonFiniteError, PerdureError, ShapeError, UnsupportedError, user_code_errors
from perdure.core.forward import call_model, evaluation, side_inputs
from perdure.models._adapted import Adapted, unwrap
from perdure.models._embed import embed_batch
from perdure.ops.sequence import lengths_of

__all__ = ["check_answers"]

SAMPLES = 2
SAME = 1e-3
"""The most, in multiples of the largest logit, by which embeddings and ids may differ in what is made of them."""


def check_answers(model: nn.Module, batch: Batch, classes: int) -> None:
    """Check that a model gives logits (batch, classes), and from embeddings the same as from token ids.

    Args:
        model: As it will be explained.
        batch: Samples like those that will be explained.
        classes: How many there are.

    Raises:
        UnsupportedError: When the model raises, gives no tensor, lives on several devices, or answers otherwise when
            it is asked by embeddings.
        ShapeError: When its outputs have another shape.
        NonFiniteError: When they are not finite.
    """
    devices = sorted({str(weight.device) for weight in model.parameters()})
    if len(devices) > 1:
        raise UnsupportedError(
            f"the weights of {type(model).__name__} lie on {', '.join(devices)}", "move the model to one device"
        )
    few = slice_batch(batch, slice(0, SAMPLES))
    few = replace(few, inputs=few.inputs.to(devices[0] if devices else few.inputs.device))
    logits = _asked(model, few, classes)
    _check_outputs(model, logits, few, classes)
    if not few.inputs.is_floating_point() and isinstance(model, HasEmbedding):
        _check_same(logits, _asked(model, embed_batch(model, few), classes), model)


def _asked(model: nn.Module, batch: Batch, classes: int) -> Tensor:
    subject = f"the model, asked with inputs {tuple(batch.inputs.shape)},"
    remedy = partial(_remedy, model, batch, classes)
    with evaluation(model), torch.no_grad(), user_code_errors(UnsupportedError, subject, remedy):
        logits = _call(model, batch)
    if not isinstance(logits, Tensor):
        raise UnsupportedError(
            f"{type(model).__name__} returns {type(logits).__name__}", "take the logits out: perdure.Adapted(model)"
        )
    return logits


def _call(model: nn.Module, batch: Batch) -> Tensor:
    lengths = lengths_of(batch.mask)
    return call_model(model, batch.inputs, lengths, side_inputs(model, batch.inputs, lengths))


def _remedy(model: nn.Module, batch: Batch, classes: int) -> str:
    """Find out what would help: other precision of weights, and series with the features first, are usual causes."""
    x = batch.inputs
    weight = next((one for one in model.parameters() if one.is_floating_point()), None)
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
            f"{type(unwrap(model)).__name__} gives outputs of shape {tuple(logits.shape)} for {len(batch)} samples of "
            f"{classes} classes",
            _advice(tuple(logits.shape), batch, classes),
        )
    if not torch.isfinite(logits).all():
        raise NonFiniteError(
            f"{type(unwrap(model)).__name__} gives NaN or infinity", "check its weights, and the scale of the data"
        )


def _advice(shape: tuple[int, ...], batch: Batch, classes: int) -> str:
    """Say what the shape of wrong outputs calls for."""
    steps = batch.inputs.shape[1]
    if len(shape) == 3 and shape[1] == steps:
        return "it has an output for every step: look at one, perdure.Adapted(model, step='last') or a number"
    if classes == 2 and shape in {(len(batch),), (len(batch), 1)}:
        return (
            "declare what its one output is, perdure.Adapted(model, outputs='logit') or 'probability', on the command "
            "line --outputs logit; or give two logits"
        )
    return f"let it give logits {(len(batch), classes)}; a factory may ask for classes, make(features, classes)"


def _check_same(by_ids: Tensor, by_embeddings: Tensor, model: nn.Module) -> None:
    gap = (by_ids - by_embeddings).abs().max() / by_ids.abs().max().clamp_min(1.0)
    if gap > SAME:
        raise UnsupportedError(
            f"{type(model).__name__} gives other logits from embeddings than from the token ids they stand for",
            "let forward treat embed(ids) as it treats ids; of models that read the last token, which cannot be "
            "found among embeddings, explain texts of one length",
        )
