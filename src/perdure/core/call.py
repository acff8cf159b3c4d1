"""Calls of a model on data: on copies, with one row of outputs for each row of inputs.

Side inputs of a sample are what the model reads in addition to the inputs that are explained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.abilities import HasSideInputs
from perdure.core.errors import LengthError, PerdureError, ShapeError, UnsupportedError
from perdure.core.evaluation import evaluation

__all__ = ["NO_SIDE", "Side", "call_in_parts", "call_model", "side_inputs", "side_of"]

Side = Mapping[str, Tensor]
"""Side inputs by the names of the arguments of the model: tensors with one row per sample."""

NO_SIDE: Side = MappingProxyType({})

OUTSIDE = ("index out of range in self", "is out of bounds for dimension 0", "Class values must be")
"""What torch says of an embedding, an index and a one-hot code outside of their table."""


def side_inputs(model: Callable[..., Tensor], x: Tensor, lengths: Tensor | None = None) -> Side:
    """Find the side inputs of samples.

    Args:
        model: any; only one with a method `side_inputs` has some.
        x: samples, shape (batch, ...).
        lengths: valid steps of each sample; None when all are.

    Returns:
        Tensors with one row per sample, by the names of arguments of the model.

    Raises:
        UnsupportedError: when the model cannot find them for these samples.
    """
    if not isinstance(model, HasSideInputs):
        return NO_SIDE
    with evaluation(model), torch.no_grad():
        return model.side_inputs(x, lengths)


def side_of(side: Side, index: slice | Tensor) -> Side:
    """Select the side inputs of some samples.

    Args:
        side: side inputs of all samples.
        index: positions of the samples: a slice, or numbers, which may repeat.

    Returns:
        The side inputs of these samples.

    Example:
        >>> side_of({"age": torch.tensor([[20.0], [60.0]])}, torch.tensor([1, 1]))
        {'age': tensor([[60.],
                [60.]])}
    """
    return {name: value[index] for name, value in side.items()} if side else NO_SIDE


def call_model(
    model: Callable[..., Any],
    x: Float[Tensor, "row *site"],
    lengths: Int[Tensor, " row"] | None = None,
    side: Side = NO_SIDE,
) -> Float[Tensor, "row *output"]:
    """Call a model on copies of its arguments; no other place passes it data.

    A forward function may write to its arguments, as `x -= x.mean()` and `nn.ReLU(inplace=True)` do. It writes to
    copies here, and gradients flow through them, so that the data stay as they are and the values are those of the
    same function out of place.

    Args:
        model: called as `model(x)`, with `lengths=` and side inputs only where there are some.
        x: inputs, not written to.
        lengths: valid steps of each row; brought to the device of x.
        side: side inputs of each row.

    Returns:
        The outputs; one number per row as a single column.

    Raises:
        ShapeError: when there is not one row of outputs for each row of inputs.
        LengthError: when the model wants the samples sorted by length.
        UnsupportedError: when the model returns no tensor, looks a number up that its table does not have, or has
            weights made in inference mode that are differentiated.

    Example:
        >>> x = torch.ones(2, 3)
        >>> call_model(lambda rows: rows.mul_(2).sum(1), x).tolist(), x.sum().item()
        ([[6.0], [6.0]], 6.0)
    """
    named: dict[str, Any] = {name: value.clone() for name, value in side.items()}
    if lengths is not None:
        named["lengths"] = lengths.to(x.device, copy=True)
    try:
        outputs = model(x.clone(), **named)
    except (IndexError, RuntimeError, ValueError) as error:
        known = _named(error)
        if known is None:
            raise
        raise known from error
    if not isinstance(outputs, Tensor):
        raise UnsupportedError(
            f"the model returns {type(outputs).__name__}",
            "take the logits out: perdure.Adapted(model), with output= where there are several tensors",
        )
    if outputs.ndim == 0 and len(x) == 1:
        return outputs.reshape(1, 1)
    if outputs.ndim == 0 or len(outputs) != len(x):
        raise ShapeError(
            f"the model returns shape {tuple(outputs.shape)} for inputs of shape {tuple(x.shape)}, so not one row for "
            "each sample",
            _rows_remedy(outputs, x),
        )
    return outputs[:, None] if outputs.ndim == 1 else outputs


def call_in_parts(
    model: Callable[..., Any], x: Float[Tensor, "row *site"], lengths: Int[Tensor, " row"] | None, side: Side, rows: int
) -> Float[Tensor, "row *output"]:
    """Call a model as `call_model` does, on a limited number of rows at a time.

    Args:
        model: as in `call_model`.
        x: inputs, not written to.
        lengths: valid steps of each row; None when all are.
        side: side inputs of each row.
        rows: most rows in one call.

    Returns:
        The outputs of all rows.
    """
    parts = [slice(i, i + rows) for i in range(0, len(x), rows)]
    return torch.cat(
        [call_model(model, x[i], None if lengths is None else lengths[i], side_of(side, i)) for i in parts]
    )


def _named(error: Exception) -> PerdureError | None:
    """Name the errors of torch whose cause is known."""
    message = str(error)
    if "enforce_sorted" in message:
        return LengthError(
            "the model packs series with pack_padded_sequence, which wants the longest sample first",
            "pass enforce_sorted=False to pack_padded_sequence in the model, or sort the samples by falling length",
        )
    if "more than 1 value per channel when training" in message:
        return UnsupportedError(
            "the model normalises by the statistics of the samples in a call, also in evaluation mode",
            "pass training=self.training to F.batch_norm, and let nn.BatchNorm track its running statistics",
        )
    if any(part in message for part in OUTSIDE):
        return UnsupportedError(
            f"the model takes numbers of its inputs for places in a table, and one lies outside: {message}",
            "noise and perturbed inputs leave the numbers of categories and tokens: pass such columns as second "
            "inputs that are not explained, perdure.Adapted(model, given={name: rows}), or explain their embeddings, "
            "perdure.TokenModel(model)",
        )
    if "Inference tensors cannot be saved for backward" in message:
        return UnsupportedError(
            "the weights of the model were made under torch.inference_mode, so nothing can be differentiated",
            "build the model outside of torch.inference_mode, or pass copy.deepcopy(model), made outside of it",
        )
    return None


def _rows_remedy(outputs: Tensor, x: Tensor) -> str:
    if len(x) == 1 and outputs.ndim == 1:
        return "let forward keep the axis of samples: squeeze(-1) or flatten(1) where it has squeeze()"
    if outputs.ndim > 1 and x.ndim > 1 and len(outputs) == x.shape[1]:
        return "make its layers with batch_first=True, so that samples come first"
    return "let it return one row for each sample, (batch, classes)"
