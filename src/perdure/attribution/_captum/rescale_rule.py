"""Shared by the DeepLIFT methods: rejected models, and the check of completeness."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._captum.forward_module import (
    ForwardModule,
    as_forward_module,
    require_module,
    with_copied_inputs,
)
from perdure.core.copy import copy_module
from perdure.core.errors import CompletenessWarning, SettingError, UnsupportedError
from perdure.core.query import Query

__all__ = ["RESCALED", "check_rows", "mixes_samples", "rescale_context", "warn_if_incomplete", "with_single_weights"]

POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
RESCALED = (nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, *POOLS, nn.Softmax)
"""Modules for which Captum has a rule; all others propagate plain gradients."""

TOLERANCE = 0.01
"""Fraction of the total attribution that may be missing: rounding causes far less, a module without a rule far more."""

ROUNDING = 100
"""Tolerated error in units of the rounding error of the target."""


def with_single_weights(query: Query) -> Query:
    """Convert a query in float16 to a copy of the model in single precision.

    DeepLIFT divides by differences that vanish in float16.

    Args:
        query: Query in any precision.

    Returns:
        The same query for any other precision.
    """
    if query.x.dtype != torch.float16 or not isinstance(query.model, nn.Module):
        return query
    return replace(query, model=copy_module(query.model).float(), x=query.x.float(), cached=None)


@contextmanager
def rescale_context(query: Query) -> Iterator[ForwardModule]:
    """Wrap a query for DeepLIFT.

    Args:
        query: Query to explain.

    Yields:
        Module to explain.

    Raises:
        UnsupportedError: when the model is not a module, contains a recurrence, or uses an activation twice.
    """
    model = require_module(query, "DeepLIFT")
    for name, module in model.named_modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            raise UnsupportedError(
                f"module '{name}' is an nn.{type(module).__name__}: DeepLIFT has no rule for recurrences and would "
                "return input times gradient, which is not complete",
                "use 'integrated_gradients' or 'gradient_shap' instead",
            )
    known = {module: set(vars(module)) for module in model.modules()}
    used: set[nn.Module] = set()

    def use(module: nn.Module, _: object) -> None:
        if module in used:
            raise UnsupportedError(
                f"an nn.{type(module).__name__} is used more than once in a forward pass, and DeepLIFT stores "
                "only one of its inputs",
                "use a separate activation module for each call",
            )
        used.add(module)

    handles = [module.register_forward_pre_hook(use) for module in model.modules() if type(module) in RESCALED]
    try:
        with with_copied_inputs(model, RESCALED), as_forward_module(query) as scalar:
            yield scalar
    finally:
        for handle in handles:
            handle.remove()
        for module, names in known.items():  # Captum stores inputs on modules and leaves them there after an error
            for name in set(vars(module)) - names:
                delattr(module, name)


def check_rows(query: Query, rows: int = 2) -> None:
    """Check that the rows that Captum's DeepLIFT compares in one call fit into one call.

    Args:
        query: Query to explain.
        rows: Rows of one call: each input and its reference.

    Raises:
        SettingError: when they do not.
    """
    if query.rows < rows:
        raise SettingError(
            f"batch_size is {query.rows}, but DeepLIFT compares inputs with references in one call of {rows} rows",
            f"pass batch_size={rows} or more (on the command line --batch-size {rows}), or use 'integrated_gradients'",
        )


def mixes_samples(query: Query) -> bool:
    """Return whether Captum's rules for a model mix the samples of a batch.

    Args:
        query: Query to explain.

    Returns:
        True with max pooling, whose rule uses the gradient of the first sample where nothing changes, and with
        softmax, whose rule sums over the batch.
    """
    return isinstance(query.model, nn.Module) and any(type(m) in (*POOLS, nn.Softmax) for m in query.model.modules())


def warn_if_incomplete(
    values: Float[Tensor, "batch *site"], at_input: Float[Tensor, " batch"], at_start: Float[Tensor, " batch"]
) -> None:
    """Warn where the sum of a map differs from the change of the target.

    Args:
        values: Maps.
        at_input: Target at the inputs.
        at_start: Target at the baselines.

    Warns:
        CompletenessWarning: when they differ by more than `TOLERANCE` of the total attribution.
    """
    gap = (values.flatten(1).sum(1) - (at_input - at_start)).abs()
    rounding = ROUNDING * torch.finfo(values.dtype).eps * (at_input.abs() + at_start.abs())
    above = gap > TOLERANCE * values.flatten(1).abs().sum(1) + rounding
    if above.any():
        warnings.warn(
            f"DeepLIFT misses the change of the target in {int(above.sum())} of {len(gap)} samples, at most by "
            f"{float(gap.max()):.3g}: the model contains functional activations, products, softmax, or modules without "
            "a rule. Use a separate module for each activation, or use 'integrated_gradients'.",
            CompletenessWarning,
            stacklevel=3,
        )
