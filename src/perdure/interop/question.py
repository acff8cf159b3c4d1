"""Captum's way of asking in the terms of ours: one input, where it is compared with, and a class of each sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.call import NO_SIDE, Side, call_model, side_of
from perdure.core.errors import LabelError, SettingError, ShapeError, UnsupportedError
from perdure.core.evaluation import evaluation
from perdure.core.protocols import Method
from perdure.core.registry import name_of

__all__ = ["Bound", "CaptumTarget", "bound", "compared", "labels", "rows_of", "single"]

T = TypeVar("T")

CaptumTarget = int | Tensor | Sequence[int] | Sequence[tuple[int, ...]] | None
"""What Captum takes for a target: a class, one per sample, an index into larger outputs, or one of these per sample."""


def single(given: T | tuple[T, ...], name: str) -> T:
    """Take the only one of what Captum allows to be several.

    Args:
        given: one thing, or a tuple.
        name: what to call it in a message.

    Returns:
        The one.

    Raises:
        UnsupportedError: for several.
    """
    if not isinstance(given, tuple):
        return given
    if len(given) != 1:
        raise UnsupportedError(
            f"{len(given)} {name} were given, and one input is explained at a time",
            "pass the others through additional_forward_args, or one tensor that the model takes apart",
        )
    return given[0]


def rows_of(given: Any, batch: int) -> tuple[Any, ...]:
    """Check what the model takes after its inputs: of a tensor, as with Captum, one row for each sample.

    Args:
        given: a tuple of anything, one thing, or None for nothing.
        batch: the number of samples.

    Returns:
        A tuple.

    Raises:
        ShapeError: for a tensor with other rows.
    """
    extra = () if given is None else given if isinstance(given, tuple) else (given,)
    for one in extra:
        if isinstance(one, Tensor) and one.ndim and len(one) != batch:
            raise ShapeError(
                f"an additional argument has shape {tuple(one.shape)} for {batch} samples",
                "give tensors one row per sample, and what all samples share as something else or without axes",
            )
    return extra


def compared(method: Method, baselines: Any, x: Tensor) -> tuple[Method, Tensor | None]:
    """Let a method compare with given baselines.

    A background takes them as they are. Otherwise the method is asked about what x adds to them, from zero, which is
    the same question about a model that adds them again.

    Args:
        method: the method.
        baselines: a number, one sample, one per input, or the samples of a background; None for what the method says.
        x: the inputs.

    Returns:
        The method to ask, and what is to be added to its inputs: one row for all or one for each; None for nothing.

    Raises:
        SettingError: when the method compares with nothing.
        ShapeError: when the baselines do not fit the inputs.
    """
    if baselines is None:
        return method, None
    settings: Any = method
    names = {f.name for f in dataclasses.fields(settings)} if dataclasses.is_dataclass(settings) else set()
    start = baselines if isinstance(baselines, Tensor) else torch.tensor(float(baselines))
    if "background" in names:
        return dataclasses.replace(settings, background=start.to(x).expand(_rows(start), *x.shape[1:])), None
    if "baseline" not in names:
        raise SettingError(f"method '{name_of(method)}' compares with no baseline", "leave baselines out")
    if (start.ndim and start.shape[1:] != x.shape[1:]) or (start.ndim and len(start) not in (1, len(x))):
        raise ShapeError(
            f"the baselines have shape {tuple(start.shape)}, the inputs {tuple(x.shape)}",
            "give a number, one sample, or one per input",
        )
    start = start.detach().to(x).expand(_rows(start), *x.shape[1:])
    start = start[:1] if bool((start == start[:1]).all()) else start
    return dataclasses.replace(settings, baseline="zero"), start if bool(start.any()) else None


def _rows(start: Tensor) -> int:
    return len(start) if start.ndim else 1


class Bound(nn.Module):
    """A model of inputs alone: what it takes besides is given, and its outputs are one row per sample.

    Args:
        model: the model.
        start: what is added to the inputs, one row; None for nothing.
        extra: what follows the inputs; tensors hold the row of the only sample that is explained.
        side: side inputs of the samples.
    """

    def __init__(
        self, model: Callable[..., Tensor], start: Tensor | None, extra: tuple[Any, ...], side: Side = NO_SIDE
    ) -> None:
        super().__init__()
        self.model, self.start, self.extra, self.side = model, start, extra, side

    def forward(
        self, x: Float[Tensor, "row *site"], lengths: Tensor | None = None, **side: Tensor
    ) -> Float[Tensor, "row output"]:
        """Ask the model.

        Args:
            x: inputs, perhaps cut to fewer steps.
            lengths: valid steps of each row; None when all are.
            side: side inputs of each row.

        Returns:
            The outputs, those of more axes in row-major order.
        """
        return self.outputs(x, lengths, **side).flatten(1)

    def side_inputs(self, x: Tensor, lengths: Tensor | None = None) -> Side:  # noqa: ARG002 - as the protocol has it
        """Return the side inputs of the samples that are explained.

        Args:
            x: the samples.
            lengths: valid steps of each sample; None when all are.

        Returns:
            Tensors with one row per sample, by the names of arguments of the model.
        """
        return self.side

    def outputs(self, x: Float[Tensor, "row *site"], lengths: Tensor | None = None, **side: Tensor) -> Tensor:
        """Ask the model, and leave its outputs as they are.

        Args:
            x: inputs.
            lengths: valid steps of each row; None when all are.
            side: side inputs of each row.

        Returns:
            What it gives; one number for a row as (row, 1).
        """
        extra = [
            one.expand(len(x), *one.shape[1:]).clone() if isinstance(one, Tensor) and one.ndim else one
            for one in self.extra
        ]
        return call_model(lambda rows, **named: self.model(rows, *extra, **named), self._moved(x), lengths, side)

    def _moved(self, x: Tensor) -> Tensor:
        return x if self.start is None else x + self.start[:, : x.shape[1]]


def bound(model: Callable[..., Tensor], whole: Bound, shape: tuple[int, ...]) -> Callable[..., Tensor]:
    """Choose the plainest form of a model: itself when nothing is bound, a function when it is none of torch.

    Args:
        model: as the user gave it.
        whole: the same with what is bound.
        shape: of its outputs for one sample.

    Returns:
        What is explained; the model's own abilities, such as going on from a state, are kept where they can be.
    """
    if whole.start is None and not whole.extra and len(shape) == 1:
        return model
    return whole if isinstance(model, nn.Module) or whole.side else whole.forward


def labels(target: CaptumTarget, whole: Bound, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, tuple[int, ...]]:
    """Read a target as numbers of outputs.

    Args:
        target: as Captum takes it.
        whole: the model.
        x: the inputs.
        lengths: valid steps; None when all are.

    Returns:
        The number of the output for each sample, counted through all axes of the outputs, and their shape.

    Raises:
        LabelError: when the target does not fit the outputs.
    """
    with evaluation(whole), torch.no_grad():
        valid = None if lengths is None else lengths[:1]
        shape = tuple(whole.outputs(x[:1], valid, **side_of(whole.side, slice(1))).shape[1:])
    numbers = [_number(one, shape) for one in _per_sample(target, len(x))]
    return torch.tensor(numbers, device=x.device), shape


def _per_sample(target: CaptumTarget, batch: int) -> list[tuple[int, ...] | None]:
    if isinstance(target, Tensor):
        target = target.reshape(-1).tolist()
        target = target[0] if len(target) == 1 else target
    if target is None or isinstance(target, int | tuple):
        return [(target,) if isinstance(target, int) else target] * batch
    if len(target) != batch:
        raise LabelError(f"{len(target)} targets were given for {batch} samples", "give one for all or one for each")
    return [one if isinstance(one, tuple) else (int(one),) for one in target]


def _number(index: tuple[int, ...] | None, shape: tuple[int, ...]) -> int:
    if index is None and shape == (1,):
        return 0
    if index is None or len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise LabelError(
            f"the target of a sample is {index}, but its outputs have shape {shape}",
            "give the number of a class, or a tuple with an index for each axis of the outputs after the first",
        )
    return int(np.ravel_multi_index(index, shape))
