"""Build a query from what users pass: the inputs, labels and lengths are checked against the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.binding import bind_predicted, bind_target, check_valid_steps, outputs_at
from perdure.core.check import check_lengths
from perdure.core.consistency import is_known_consistent
from perdure.core.errors import PerdureError, UnsupportedError
from perdure.core.forward import (
    CachedForward,
    Side,
    call_in_batches,
    call_model,
    evaluation,
    forward_with_graph,
    side_inputs,
    slice_side,
)
from perdure.core.labels import as_target, check_rows
from perdure.core.query import PassCount, Query
from perdure.core.resources import row_limit
from perdure.core.target import AtStep, Logit, Target, label_target

__all__ = ["build_query"]


def build_query(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"],
    target: Target | Int[Tensor, " batch"] | int | Literal["predicted"],
    *,
    lengths: Int[Tensor, " batch"] | None = None,
    batch_size: int | None = None,
    seeds: Tensor | None = None,
    cached: CachedForward | None = None,
    keep_graph: bool = False,
) -> Query:
    """Check model, inputs and target against each other, by a forward pass of the first sample.

    Args:
        model: Model called as `model(x)`, or as `model(x, lengths=lengths)` with lengths.
        x: Inputs.
        target: Labels, one label for all samples, "predicted", or a function of the outputs.
        lengths: Number of valid steps of each sample.
        batch_size: Maximum number of rows in one call of the model; None for a number that suits the size of a sample.
        seeds: One seed per sample, for methods that draw.
        cached: The forward pass of x, if it was computed before.
        keep_graph: Whether to check by a forward pass of all samples and keep its graph, for methods that
            differentiate at x. It needs samples that fit into one call, and a model that passed the check of its first
            sample before.

    Returns:
        The query, with the target bound to what the model returns.

    Raises:
        LabelError: If labels or steps do not fit the outputs.
        LengthError: If the lengths do not fit the inputs.
        ShapeError: If the outputs do not have one row per sample.
        UnsupportedError: If model and inputs do not fit together.

    Example:
        >>> build_query(torch.nn.Linear(2, 3), torch.ones(4, 2), "predicted").passes.forward
        4
    """
    requested = as_target(target, len(x))
    mask, passes = None, PassCount()
    if lengths is not None:
        check_lengths(lengths, x)
        mask = torch.arange(x.shape[1], device=x.device) < lengths.to(x.device)[:, None]
    _check_device(model, x)
    side, rows = side_inputs(model, x, lengths), row_limit(x) if batch_size is None else batch_size
    if cached is None and keep_graph and len(x) <= rows and is_known_consistent(model, x, lengths, side, rows):
        cached = forward_with_graph(model, x, lengths, side)
    logits = _first_output(model, x, lengths, side) if cached is None else cached.outputs
    scaled = outputs_at(model, x, lengths, side, rows)
    if isinstance(requested, str):
        outputs = _outputs(model, x, lengths, side, rows) if cached is None else logits
        passes.forward = len(x) if cached is None else 0
        bound: Target = bind_predicted(model, outputs, scaled)
    else:
        labelled = Logit(requested) if isinstance(requested, Tensor) else requested
        bound = bind_target(labelled, model, len(x), logits, scaled)
    check_valid_steps(bound, lengths, x.shape[1])
    if label_target(bound) is None and not isinstance(bound, AtStep):
        check_rows(bound, logits[:1].detach())
    drawn = torch.zeros(0, dtype=torch.int64) if seeds is None else seeds
    return Query(model, x, bound, mask, drawn, batch_size, passes, cached, side)


def _check_device(model: Callable[..., Tensor], x: Tensor) -> None:
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weight is not None and weight.device != x.device:
        raise UnsupportedError(
            f"the model is on {weight.device}, the inputs are on {x.device}",
            f"move one of them, for example x.to('{weight.device}')",
        )


def _first_output(model: Callable[..., Tensor], x: Tensor, lengths: Tensor | None, side: Side) -> Tensor:
    with evaluation(model), torch.no_grad():
        try:
            return call_model(model, x[:1], None if lengths is None else lengths[:1], slice_side(side, slice(1)))
        except (TypeError, ValueError, RuntimeError) as error:
            known = _name_misfit(error, model, x) or _only_together(error, model, x, lengths, side)
            if known is None:
                raise
            raise known from error


def _only_together(
    error: Exception, model: Callable[..., Tensor], x: Tensor, lengths: Tensor | None, side: Side
) -> UnsupportedError | None:
    """Name a model that takes all samples, but no single one, as it holds something with a row for each."""
    try:
        call_model(model, x, lengths, side)
    except (IndexError, RuntimeError, TypeError, ValueError, PerdureError):
        return None
    return UnsupportedError(
        f"the model takes the {len(x)} samples together, but not the first one alone: {error}",
        "it holds something with one row for each sample: pass that as a second input, "
        "perdure.Adapted(model, given={name: rows}), whose rows go with their samples",
    )


def _outputs(model: Callable[..., Tensor], x: Tensor, lengths: Tensor | None, side: Side, rows: int) -> Tensor:
    """Compute the outputs of all samples, which give the predicted class of each."""
    with evaluation(model), torch.no_grad():
        return call_in_batches(model, x, lengths, side, rows)


def _name_misfit(error: Exception, model: Callable[..., Tensor], x: Tensor) -> UnsupportedError | None:
    """Name what does not fit between model and inputs; other errors of the model are raised unchanged."""
    message, own = str(error), f"{type(model).__name__}.forward() "
    if isinstance(error, TypeError) and "unexpected keyword argument 'lengths'" in message:
        return UnsupportedError(
            "lengths were given, but the model does not take them",
            "let forward accept lengths=, or wrap a model that takes a mask: perdure.Adapted(model); or leave lengths "
            "out and pass samples of one length",
        )
    if isinstance(error, TypeError) and message.startswith(own + "missing"):
        return UnsupportedError(
            f"the model reads more than one input: {message}",
            "perdure.Adapted(model, given={name: value}) fixes what is not explained, and passes padding as "
            "mask, attention_mask and other usual names",
        )
    if isinstance(error, RuntimeError) and "scalar types: Long, Int" in message:
        return UnsupportedError(
            f"the model looks its inputs up in a table of embeddings, and they are {x.dtype}",
            "explain the embeddings of token ids: model = perdure.TokenModel(model), x = model.embed(ids)",
        )
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weight is not None and weight.is_floating_point() and weight.dtype != x.dtype:
        return UnsupportedError(
            f"the weights of the model are {weight.dtype}, the inputs {x.dtype}: {message}",
            f"convert one of them, for example x.to({weight.dtype})",
        )
    return None
