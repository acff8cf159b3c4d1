"""The one adapter to Captum: a query as the module that Captum asks for, and the model left as it was.

Captum differentiates by itself, so it is the single exception to the rule that `Query.gradient` is the only door of
autograd. What that door grants is granted here too: evaluation mode, recurrences without cuDNN, counted passes, and
the caller's model, tensors and random states untouched. Every row that Captum sends forward is counted; one that is
sent while a graph is kept counts as a backward pass too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.call import NO_SIDE, call_model
from perdure.core.errors import DependencyError, IndependentOutputError, UnsupportedError
from perdure.core.evaluation import evaluation
from perdure.core.query import Query

__all__ = ["Asked", "apart", "asked", "captum_attr", "leaf", "module_of"]


class Asked(nn.Module):
    """Model and target as one module: rows in, one scalar for each out.

    Args:
        query: whose target and lengths belong to the rows, which are copies of its batch laid one after the other.
    """

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.model = query.model
        self.query = query

    def forward(self, rows: Float[Tensor, "row *site"]) -> Float[Tensor, " row"]:
        """Evaluate the target.

        Args:
            rows: inputs for one or more copies of the batch.

        Returns:
            The target of each row.
        """
        query = self.query
        query.passes.forward += len(rows)
        logits = call_model(self.model, rows, query.lengths, query.side or NO_SIDE)
        logits = logits[:, None] if logits.ndim == 1 else logits
        values = torch.cat([query.target(some) for some in torch.split(logits, len(query.x))])
        if torch.is_grad_enabled():
            query.passes.backward += len(rows)
            if not values.requires_grad:
                raise _independent()
        return values


@contextmanager
def asked(query: Query) -> Iterator[Asked]:
    """Hand a query to Captum for a while.

    Args:
        query: the question.

    Yields:
        The module to be explained.

    Raises:
        IndependentOutputError: when no gradient connects the output and what it is differentiated by.
    """
    with evaluation(query.model), torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"captum\.")  # it announces its hooks, which are gone afterwards
        try:
            yield Asked(query)
        except RuntimeError as error:
            if "not have been used in the graph" not in str(error):
                raise
            raise _independent() from error


@contextmanager
def apart(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[None]:
    """Give some modules copies of their inputs for a while.

    Captum puts its rule for a module on the gradient of the module's input tensor. Where that tensor is read by other
    modules too, as in a residual network, or is the output of a module with a rule of its own, as in a ReLU before
    max pooling, Captum changes the wrong gradient.

    Args:
        model: that holds the modules.
        kinds: of modules, subclasses left out.

    Yields:
        Nothing.
    """

    def copied(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one.clone() if isinstance(one, Tensor) else one for one in inputs)

    handles = [m.register_forward_pre_hook(copied) for m in model.modules() if type(m) in kinds]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def captum_attr() -> Any:
    """Import Captum, which takes seconds, when it is first needed.

    Returns:
        The module `captum.attr`.

    Raises:
        DependencyError: when it is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise DependencyError("this method needs the package 'captum'", "pip install 'perdure[captum]'") from error
    return captum.attr


def leaf(x: Float[Tensor, "batch *site"]) -> Float[Tensor, "batch *site"]:
    """Copy inputs into a tensor that can be differentiated by.

    Args:
        x: the inputs; not written to.

    Returns:
        The copy.
    """
    return x.detach().clone().requires_grad_()


def module_of(query: Query, method: str) -> nn.Module:
    """Give the model as a module, for methods that look inside.

    Args:
        query: the question.
        method: what to call the method in a message.

    Returns:
        The model.

    Raises:
        UnsupportedError: when it is another callable.
    """
    if not isinstance(query.model, nn.Module):
        raise UnsupportedError(
            f"{method} looks at the layers of a model, and this one is a {type(query.model).__name__}",
            "pass a torch.nn.Module, or choose a method that asks for outputs only, such as 'occlusion'",
        )
    return query.model


def _independent() -> IndependentOutputError:
    return IndependentOutputError(
        "no gradient connects the output of the model to its input or to the layer looked at",
        "check that the model reads its argument, and that the layer lies on the way from it to the output",
    )
