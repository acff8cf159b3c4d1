"""Declarations of what a model returns, for models of every calling convention."""

from __future__ import annotations

from torch import nn

from perdure.core.batch import Batch, slice_batch
from perdure.core.binding import SAMPLES, assume_outputs, outputs_at
from perdure.core.errors import UnsupportedError
from perdure.core.forward import side_inputs
from perdure.core.outputs import ONE, Outputs, check_outputs, declared_outputs
from perdure.core.query import row_limit
from perdure.models._adapted import Adapted, adapt
from perdure.models._embed import embed_batch
from perdure.ops.sequence import lengths_of

__all__ = ["declare", "declare_found", "outputs_of"]


def declare(model: nn.Module, outputs: Outputs | None) -> nn.Module:
    """Declare what a model returns.

    Args:
        model: Any; an earlier declaration is replaced.
        outputs: A kind, as in `Adapted`; None leaves the model as it is.

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


def declare_found(model: nn.Module, batch: Batch) -> nn.Module:
    """Declare what a model without a declaration returns on some samples, so that it is found, and warned of, once.

    Args:
        model: Returns (batch, classes).
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
        model: Of any kind.

    Returns:
        The kind; None without a declaration.
    """
    own = model.declared if isinstance(model, Adapted) else None
    return own or declared_outputs(model)
