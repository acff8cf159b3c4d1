"""What the two DeepLIFT methods share: whom they refuse, and the law that they check."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._captum.forward_module import Asked, apart, asked, module_of
from perdure.core.errors import CompletenessWarning, UnsupportedError
from perdure.core.query import Query

__all__ = ["RESCALED", "mixes_samples", "rescaling", "warn_if_incomplete"]

POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
RESCALED = (nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, *POOLS, nn.Softmax)
"""Modules that Captum has a rule for; all others pass plain gradients on."""

TOLERANCE = 0.01
"""Share of the total attribution that may be missing: rounding leaves far less, a module without a rule far more."""

ROUNDING = 100
"""Rounding errors of the target that count as none."""


@contextmanager
def rescaling(query: Query) -> Iterator[Asked]:
    """Hand a query to DeepLIFT for a while.

    Args:
        query: the question.

    Yields:
        The module to be explained.

    Raises:
        UnsupportedError: when the model is no module, holds a recurrence, or uses an activation twice.
    """
    model = module_of(query, "DeepLIFT")
    for name, module in model.named_modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            raise UnsupportedError(
                f"module '{name}' is an nn.{type(module).__name__}: DeepLIFT has no rule for recurrences, and would "
                "give input times gradient, whose sum is wrong",
                "use 'integrated_gradients' or 'gradient_shap' instead",
            )
    known = {module: set(vars(module)) for module in model.modules()}
    used: set[nn.Module] = set()

    def use(module: nn.Module, _: object) -> None:
        if module in used:
            raise UnsupportedError(
                f"an nn.{type(module).__name__} is used more than once in a forward pass, and DeepLIFT remembers "
                "only one input of it",
                "give each use an activation module of its own",
            )
        used.add(module)

    handles = [module.register_forward_pre_hook(use) for module in model.modules() if type(module) in RESCALED]
    try:
        with apart(model, RESCALED), asked(query) as scalar:
            yield scalar
    finally:
        for handle in handles:
            handle.remove()
        for module, names in known.items():  # Captum notes inputs on modules, and leaves them there after an error
            for name in set(vars(module)) - names:
                delattr(module, name)


def mixes_samples(query: Query) -> bool:
    """Tell whether Captum's rules for a model would mix the samples of a batch.

    Args:
        query: the question.

    Returns:
        True with max pooling, whose rule takes the gradient of the first sample where nothing changes, and with
        softmax, whose rule sums over the batch.
    """
    return isinstance(query.model, nn.Module) and any(type(m) in (*POOLS, nn.Softmax) for m in query.model.modules())


def warn_if_incomplete(
    values: Float[Tensor, "batch *site"], at_input: Float[Tensor, " batch"], at_start: Float[Tensor, " batch"]
) -> None:
    """Compare the sum of each map with the change of the target that it shares out.

    Args:
        values: the maps.
        at_input: the target at the inputs.
        at_start: the target at what they are compared with.

    Warns:
        CompletenessWarning: when they differ by more than `TOLERANCE` of the total attribution.
    """
    gap = (values.flatten(1).sum(1) - (at_input - at_start)).abs()
    rounding = ROUNDING * torch.finfo(values.dtype).eps * (at_input.abs() + at_start.abs())
    above = gap > TOLERANCE * values.flatten(1).abs().sum(1) + rounding
    if above.any():
        warnings.warn(
            f"DeepLIFT misses the change of the target in {int(above.sum())} of {len(gap)} samples, at most by "
            f"{float(gap.max()):.3g}: the model holds functional activations, products, softmax, or modules without a "
            "rule. Write activations as modules of their own, or use 'integrated_gradients'.",
            CompletenessWarning,
            stacklevel=3,
        )
