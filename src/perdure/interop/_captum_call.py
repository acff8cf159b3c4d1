"""Arguments of Captum's `attribute` converted to those of perdure: inputs, baselines, target and model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.errors import LabelError, SettingError, ShapeError, UnsupportedError
from perdure.core.forward import NO_SIDE, Side, call_model, evaluation, slice_side
from perdure.core.method import Method
from perdure.core.spec import name_of

__all__ = [
    "BoundModel",
    "CaptumTarget",
    "apply_baselines",
    "bind_model",
    "check_extra",
    "parse_target",
    "require_single",
]

T = TypeVar("T")

CaptumTarget = int | Tensor | Sequence[int] | Sequence[tuple[int, ...]] | None
"""Targets of Captum: a class, one per sample, an index into outputs with more axes, or one index per sample."""


def require_single(value: T | tuple[T, ...], name: str) -> T:
    """Unwrap a tuple of one item.

    Args:
        value: Item or tuple of items.
        name: Plural name of the items for error messages.

    Returns:
        Only item.

    Raises:
        UnsupportedError: for several items.
    """
    if not isinstance(value, tuple):
        return value
    if len(value) != 1:
        raise UnsupportedError(
            f"{len(value)} {name} were passed, but only one input can be explained at a time",
            "pass the others through additional_forward_args, or one tensor that the model splits",
        )
    return value[0]


def check_extra(arguments: Any, batch: int) -> tuple[Any, ...]:
    """Check that additional tensor arguments have one row per sample, as Captum requires.

    Args:
        arguments: Tuple of arguments, a single argument, or None.
        batch: Number of samples.

    Returns:
        Tuple of arguments.

    Raises:
        ShapeError: for a tensor with another number of rows.
    """
    extra = () if arguments is None else arguments if isinstance(arguments, tuple) else (arguments,)
    for item in extra:
        if isinstance(item, Tensor) and item.ndim and len(item) != batch:
            raise ShapeError(
                f"an additional argument has shape {tuple(item.shape)} for {batch} samples",
                "pass tensors with one row per sample; pass constants as numbers or tensors without axes",
            )
    return extra


def apply_baselines(method: Method, baselines: Any, x: Tensor) -> tuple[Method, Tensor | None]:
    """Apply baselines to a method.

    Baselines replace the background of a method that has one. Otherwise the method explains the difference between the
    inputs and the baselines with a zero baseline, for a model that adds the baselines to its inputs; this is
    equivalent.

    Args:
        method: Method to configure.
        baselines: Number, one sample, one per input, or the samples of a background; None for the default.
        x: Inputs.

    Returns:
        Configured method, and an offset of the inputs of the model: one row for all samples or one per sample; None
        without an offset.

    Raises:
        SettingError: when the method has no baseline.
        ShapeError: when the baselines do not match the inputs.
    """
    if baselines is None:
        return method, None
    settings: Any = method
    names = {f.name for f in dataclasses.fields(settings)} if dataclasses.is_dataclass(settings) else set()
    start = baselines if isinstance(baselines, Tensor) else torch.tensor(float(baselines))
    if "background" in names:
        return dataclasses.replace(settings, background=start.to(x).expand(_rows(start), *x.shape[1:])), None
    if "baseline" not in names:
        raise SettingError(f"method '{name_of(method)}' has no baseline", "omit baselines")
    if (start.ndim and start.shape[1:] != x.shape[1:]) or (start.ndim and len(start) not in (1, len(x))):
        raise ShapeError(
            f"the baselines have shape {tuple(start.shape)}, the inputs {tuple(x.shape)}",
            "pass a number, one sample, or one per input",
        )
    start = start.detach().to(x).expand(_rows(start), *x.shape[1:])
    start = start[:1] if bool((start == start[:1]).all()) else start
    return dataclasses.replace(settings, baseline="zero"), start if bool(start.any()) else None


def _rows(start: Tensor) -> int:
    return len(start) if start.ndim else 1


class BoundModel(nn.Module):
    """A model as a function of its inputs alone, with one row of outputs per sample.

    Args:
        model: Model with additional arguments.
        start: Offset of the inputs, one row; None for no offset.
        extra: Additional arguments; tensors hold the row of the only sample.
        side: Side inputs of the samples.
    """

    def __init__(
        self, model: Callable[..., Tensor], start: Tensor | None, extra: tuple[Any, ...], side: Side = NO_SIDE
    ) -> None:
        super().__init__()
        self.model, self.start, self.extra, self.side = model, start, extra, side

    def forward(
        self, x: Float[Tensor, "row *site"], lengths: Tensor | None = None, **side: Tensor
    ) -> Float[Tensor, "row output"]:
        """Compute the outputs of the model.

        Args:
            x: Inputs, possibly cut to fewer steps.
            lengths: Valid steps of each row; None when all are valid.
            side: Side inputs of each row.

        Returns:
            Outputs, flattened in row-major order.
        """
        return self.outputs(x, lengths, **side).flatten(1)

    def side_inputs(self, x: Tensor, lengths: Tensor | None = None) -> Side:  # noqa: ARG002 - signature of the protocol
        """Return the side inputs of the explained samples.

        Args:
            x: Samples.
            lengths: Valid steps of each sample; None when all are valid.

        Returns:
            Tensors with one row per sample, by the names of arguments of the model.
        """
        return self.side

    def outputs(self, x: Float[Tensor, "row *site"], lengths: Tensor | None = None, **side: Tensor) -> Tensor:
        """Compute the outputs of the model without flattening them.

        Args:
            x: Inputs.
            lengths: Valid steps of each row; None when all are valid.
            side: Side inputs of each row.

        Returns:
            Outputs; one number per row has shape (row, 1).
        """
        extra = [
            item.expand(len(x), *item.shape[1:]).clone() if isinstance(item, Tensor) and item.ndim else item
            for item in self.extra
        ]
        return call_model(lambda rows, **named: self.model(rows, *extra, **named), self._shift(x), lengths, side)

    def _shift(self, x: Tensor) -> Tensor:
        return x if self.start is None else x + self.start[:, : x.shape[1]]


def bind_model(model: Callable[..., Tensor], whole: BoundModel, shape: tuple[int, ...]) -> Callable[..., Tensor]:
    """Return the model to explain.

    The model itself is returned if nothing is bound, so that its further methods stay available; a function if the
    model is not a module.

    Args:
        model: Model as the user passed it.
        whole: Model with bound arguments.
        shape: Shape of the outputs for one sample.

    Returns:
        Model to explain.
    """
    if whole.start is None and not whole.extra and len(shape) == 1:
        return model
    return whole if isinstance(model, nn.Module) or whole.side else whole.forward


def parse_target(
    target: CaptumTarget, whole: BoundModel, x: Tensor, lengths: Tensor | None
) -> tuple[Tensor, tuple[int, ...]]:
    """Convert a target of Captum to indices of outputs.

    Args:
        target: Target of Captum.
        whole: Model.
        x: Inputs.
        lengths: Valid steps of each sample; None when all are valid.

    Returns:
        Index of the output for each sample, in row-major order over all axes of the outputs, and their shape.

    Raises:
        LabelError: when the target does not match the outputs.
    """
    with evaluation(whole), torch.no_grad():
        valid = None if lengths is None else lengths[:1]
        shape = tuple(whole.outputs(x[:1], valid, **slice_side(whole.side, slice(1))).shape[1:])
    indices = [_ravel_index(index, shape) for index in _expand_target(target, len(x))]
    return torch.tensor(indices, device=x.device), shape


def _expand_target(target: CaptumTarget, batch: int) -> list[tuple[int, ...] | None]:
    if isinstance(target, Tensor):
        target = target.reshape(-1).tolist()
        target = target[0] if len(target) == 1 else target
    if target is None or isinstance(target, int | tuple):
        return [(target,) if isinstance(target, int) else target] * batch
    if len(target) != batch:
        raise LabelError(f"{len(target)} targets were passed for {batch} samples", "pass one for all or one per sample")
    return [item if isinstance(item, tuple) else (int(item),) for item in target]


def _ravel_index(index: tuple[int, ...] | None, shape: tuple[int, ...]) -> int:
    if index is None and shape == (1,):
        return 0
    if index is None or len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise LabelError(
            f"the target of a sample is {index}, but its outputs have shape {shape}",
            "pass the index of a class, or a tuple with an index for each axis of the outputs after the first",
        )
    return int(np.ravel_multi_index(index, shape))
