"""Precision: searches and sums are in single precision or better, whatever the dtype of the model or autocast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from perdure.core.query import Query

__all__ = ["InDtype", "full_precision", "in_single", "widen"]

Function = TypeVar("Function", bound=Callable[..., Any])


def widen(x: Tensor) -> Tensor:
    """Bring floating point numbers to at least single precision.

    Args:
        x: any tensor.

    Returns:
        The tensor in float32 for half precision, otherwise as it is.

    Example:
        >>> widen(torch.ones(1).half()).dtype, widen(torch.ones(1).double()).dtype
        (torch.float32, torch.float64)
    """
    return x.to(torch.promote_types(x.dtype, torch.float32)) if x.is_floating_point() else x


class InDtype(nn.Module):
    """A model that computes in its own dtype, from inputs and to outputs in at least single precision.

    Its modules have the names that they have in the model.

    Args:
        model: model to call.
        dtype: dtype of the inputs of the model.
    """

    def __init__(self, model: Callable[..., Tensor], dtype: torch.dtype) -> None:
        super().__init__()
        self.model, self.dtype = model, dtype

    def forward(self, x: Tensor, **more: Any) -> Tensor:
        """Compute the outputs.

        Args:
            x: inputs.
            more: further arguments of the model.

        Returns:
            Outputs of the model.
        """
        outputs = self.model(x.to(self.dtype), **more)
        return widen(outputs) if isinstance(outputs, Tensor) else outputs

    def named_modules(
        self, memo: set[nn.Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """List the modules of the model by their names in it."""
        if isinstance(self.model, nn.Module):
            yield from self.model.named_modules(memo, prefix, remove_duplicate)
        else:
            yield from super().named_modules(memo, prefix, remove_duplicate)


def in_single(query: Query) -> Query:
    """Convert a query so that its inputs, outputs and gradients are in at least single precision.

    Args:
        query: query in any precision.

    Returns:
        The query whose model computes in its own dtype.
    """
    x = widen(query.x)
    if x.dtype == query.x.dtype and not _autocasts(x.device):
        return query
    model = InDtype(query.model, query.x.dtype)
    return replace(query, model=model, x=x, target=query.bound, cached=None)


def _autocasts(device: torch.device) -> bool:
    available = torch.amp.autocast_mode.is_autocast_available(device.type)
    return available and torch.is_autocast_enabled(device.type)


def full_precision(function: Function) -> Function:
    """Switch autocast off within a function that computes sums, of tensors on one device.

    Args:
        function: function whose first argument is a tensor; it calls no model.

    Returns:
        The function.
    """

    @wraps(function)
    def in_full(x: Tensor, *args: Any, **named: Any) -> Any:
        if not _autocasts(x.device):
            return function(x, *args, **named)
        with torch.autocast(x.device.type, enabled=False):
            return function(x, *args, **named)

    return in_full  # type: ignore[return-value]
