"""Calls of a model: in evaluation mode, on copies of the data, with one row of outputs for each row of inputs.

Side inputs of a sample are what the model reads in addition to the inputs that are explained.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.abilities import HasSideInputs
from perdure.core.errors import LengthError, PerdureError, ShapeError, UnsupportedError, memory_limit_error
from perdure.core.exclusive import exclusive, without_cudnn

__all__ = [
    "NO_SIDE",
    "CachedForward",
    "Side",
    "call_in_batches",
    "call_model",
    "evaluation",
    "forward_with_graph",
    "run_eagerly",
    "side_inputs",
    "slice_side",
]


def run_eagerly() -> AbstractContextManager[object]:
    """Run compiled models without their compiled code, which calls no hooks that were added after it was made.

    Returns:
        A context; nothing is compiled where `torch.compile` has not been imported.
    """
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


@contextmanager
def evaluation(model: Callable[..., Tensor]) -> Iterator[None]:
    """Put a model in evaluation mode for a while, and leave it as it was.

    cuDNN cannot run a recurrent backward pass in evaluation mode, so it is switched off during the calls of
    recurrent modules, and only there. Parameters keep their flags and gradients. Other threads that explain, evaluate
    or train wait for the end of the block.

    Args:
        model: any callable; only modules have a mode.

    Yields:
        Nothing.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    with exclusive(), without_cudnn(module for module in model.modules() if isinstance(module, nn.RNNBase)):
        training = [module for module in model.modules() if getattr(module, "training", False)]  # frozen ones have none
        for module in training:
            module.training = False
        try:
            yield
        finally:
            for module in training:
                module.training = True


Side = Mapping[str, Tensor]
"""Side inputs by the names of the arguments of the model: tensors with one row per sample."""

NO_SIDE: Side = MappingProxyType({})

OUTSIDE = ("index out of range in self", "is out of bounds for dimension 0", "Class values must be")
"""Messages of torch for an embedding, an index and a one-hot code outside of their table."""


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


def slice_side(side: Side, index: slice | Tensor) -> Side:
    """Select the side inputs of some samples.

    Args:
        side: side inputs of all samples.
        index: positions of the samples: a slice, or numbers, which may repeat.

    Returns:
        The side inputs of these samples.

    Example:
        >>> slice_side({"age": torch.tensor([[20.0], [60.0]])}, torch.tensor([1, 1]))
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
        LengthError: when the model requires samples sorted by length.
        MemoryLimitError: when there is not enough memory for the rows.
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
        known = memory_limit_error(error) or _name_error(error)
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


def call_in_batches(
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
        [call_model(model, x[i], None if lengths is None else lengths[i], slice_side(side, i)) for i in parts]
    )


def _name_error(error: Exception) -> PerdureError | None:
    """Name the errors of torch whose cause is known."""
    message = str(error)
    if "enforce_sorted" in message:
        return LengthError(
            "the model packs series with pack_padded_sequence, which requires the longest sample first",
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


@dataclass(frozen=True, eq=False)
class CachedForward:
    """The outputs of a model for some inputs, with the autograd graph between them.

    Args:
        x: Inputs, a leaf of the graph.
        outputs: Outputs of the model.
    """

    x: Float[Tensor, "batch *site"]
    outputs: Float[Tensor, "batch classes"]


def forward_with_graph(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"],
    lengths: Int[Tensor, " batch"] | None = None,
    side: Side | None = None,
) -> CachedForward:
    """Compute the outputs of a model and keep the autograd graph.

    A caller that needs the prediction before it can choose a target saves a forward pass when the method
    differentiates at the inputs themselves.

    Args:
        model: Model called as `model(x)`, or as `model(x, lengths=lengths)` with lengths; its state is restored.
        x: Inputs; not written to.
        lengths: Number of valid steps of each sample.
        side: Side inputs of each sample; None for those that the model finds for x.

    Returns:
        Outputs and graph, on the device of x.

    Example:
        >>> forward_with_graph(torch.nn.Flatten(), torch.ones(1, 2)).outputs.tolist()
        [[1.0, 1.0]]
    """
    leaf = x.detach().clone().requires_grad_()
    with evaluation(model), torch.enable_grad():
        side = side_inputs(model, x, lengths) if side is None else side
        return CachedForward(leaf, call_model(model, leaf, lengths, side))
