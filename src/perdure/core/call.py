"""Calls of a model, with the side inputs of each sample: what it reads in addition to the inputs that are explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from perdure.core.evaluation import evaluation
from perdure.core.protocols import HasSideInputs

__all__ = ["NO_SIDE", "Side", "call_model", "side_inputs", "side_of"]

Side = Mapping[str, Tensor]
"""Side inputs by the names of the arguments of the model: tensors with one row per sample."""

NO_SIDE: Side = MappingProxyType({})


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
    model: Callable[..., Tensor], rows: Tensor, lengths: Tensor | None = None, side: Side = NO_SIDE
) -> Tensor:
    """Call a model on one or more copies of some samples.

    Args:
        model: called as `model(rows)`, with `lengths=` and side inputs only where there are some.
        rows: inputs; copies of the samples follow one another, each in the order of the samples.
        lengths: valid steps of each sample; None when all are.
        side: side inputs of each sample.

    Returns:
        What the model returns.

    Example:
        >>> rows = torch.tensor([1.0, 2.0, 10.0, 20.0])
        >>> call_model(lambda x, shift: x + shift, rows, side={"shift": torch.tensor([0.1, 0.2])})
        tensor([ 1.1000,  2.2000, 10.1000, 20.2000])
    """
    named: dict[str, Any] = {name: _copied(value, len(rows)) for name, value in side.items()}
    if lengths is not None:
        named["lengths"] = _copied(lengths, len(rows))
    return model(rows, **named)


def _copied(value: Tensor, rows: int) -> Tensor:
    return value if len(value) == rows else value.repeat(rows // len(value), *[1] * (value.ndim - 1))
