"""A query as the module that Captum differentiates.

Captum calls autograd itself, so it is the only exception to the rule that all gradients come from `Query.gradient`.
The guarantees are the same: evaluation mode, recurrences without cuDNN, counted passes, and the caller's model,
tensors and random states unchanged. Each row that Captum passes forward is counted; a row passed while gradients are
enabled also counts as a backward pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.errors import IndependentOutputError, UnsupportedError
from perdure.core.forward import NO_SIDE, Side, call_in_batches, evaluation, run_eagerly, slice_side
from perdure.core.optional import require
from perdure.core.query import Query

__all__ = ["ForwardModule", "as_forward_module", "import_captum", "make_leaf", "require_module", "with_copied_inputs"]


class ForwardModule(nn.Module):
    """Model and target as one module that maps each row to a scalar.

    Args:
        query: Query whose target and lengths apply to the rows, which are concatenated copies of its batch.
    """

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.model = query.model
        self.query = query

    def forward(self, rows: Float[Tensor, "row *site"]) -> Float[Tensor, " row"]:
        """Evaluate the target.

        Args:
            rows: Inputs of one or more copies of the batch.

        Returns:
            Target of each row.
        """
        query = self.query
        query.passes.forward += len(rows)
        # Captum draws in single precision, whatever the dtype of the inputs
        logits = call_in_batches(self.model, rows.to(query.x.dtype), *self._of_rows(len(rows)), query.rows)
        values = torch.cat([query.bound(copy) for copy in torch.split(logits, len(query.x))])
        if torch.is_grad_enabled():
            query.passes.backward += len(rows)
            if not values.requires_grad:
                raise _independent()
        return values

    def _of_rows(self, rows: int) -> tuple[Tensor | None, Side]:
        """Give lengths and side inputs of rows that are copies of the batch, one after the other."""
        query, lengths = self.query, self.query.lengths
        index = torch.arange(len(query.x)).repeat(rows // len(query.x))
        return None if lengths is None else lengths[index], slice_side(query.side or NO_SIDE, index)


@contextmanager
def as_forward_module(query: Query) -> Iterator[ForwardModule]:
    """Wrap a query as the module that Captum explains.

    Args:
        query: Query to explain.

    Yields:
        Module to explain.

    Raises:
        IndependentOutputError: when the output does not depend on the differentiated tensor.
    """
    with evaluation(query.model), run_eagerly(), torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"captum\.")  # warnings about hooks, which are removed
        try:
            yield ForwardModule(query)
        except RuntimeError as error:
            if "not have been used in the graph" not in str(error):
                raise
            raise _independent() from error


@contextmanager
def with_copied_inputs(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[None]:
    """Copy the inputs of modules of some types within a block.

    Captum applies the rule of a module to the gradient of the module's input tensor. If other modules read that tensor
    too (a residual connection), or if it is the output of another module with a rule (ReLU before max pooling), Captum
    changes the wrong gradient.

    Args:
        model: Model that contains the modules.
        kinds: Types of modules, without subclasses.

    Yields:
        Nothing.
    """

    def clone_inputs(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(item.clone() if isinstance(item, Tensor) else item for item in inputs)

    handles = [m.register_forward_pre_hook(clone_inputs) for m in model.modules() if type(m) in kinds]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def import_captum() -> Any:
    """Import Captum on first use, since importing it takes seconds.

    Returns:
        Module `captum.attr`.

    Raises:
        DependencyError: when Captum is not installed.
    """
    return require("captum.attr", extra="captum", purpose="this method")


def make_leaf(x: Float[Tensor, "batch *site"]) -> Float[Tensor, "batch *site"]:
    """Copy inputs to a leaf tensor that requires gradients.

    Args:
        x: Inputs; not modified.

    Returns:
        Copy of the inputs.
    """
    return x.detach().clone().requires_grad_()


def require_module(query: Query, method: str) -> nn.Module:
    """Return the model, which must be a module for methods that use its layers.

    Args:
        query: Query to explain.
        method: Name of the method for error messages.

    Returns:
        Model of the query.

    Raises:
        UnsupportedError: when the model is another callable.
    """
    if not isinstance(query.model, nn.Module):
        raise UnsupportedError(
            f"{method} needs the layers of a model, but the model is a {type(query.model).__name__}",
            "pass a torch.nn.Module, or choose a method that needs only outputs, such as 'occlusion'",
        )
    return query.model


def _independent() -> IndependentOutputError:
    return IndependentOutputError(
        "no gradient connects the output of the model to its input or to the explained layer",
        "check that the model uses its argument, and that the layer is between the input and the output",
    )
