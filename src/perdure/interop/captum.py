"""Methods as Captum explainers with `attribute(inputs, baselines, target, additional_forward_args)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.attribution._attribute import attribute
from perdure.core.forward import side_inputs, slice_side
from perdure.core.method import Method
from perdure.core.optional import require
from perdure.core.outputs import Outputs, declared_outputs
from perdure.core.registry import METHODS
from perdure.core.target import Logit
from perdure.interop._captum_call import (
    BoundModel,
    CaptumTarget,
    apply_baselines,
    bind_model,
    check_extra,
    parse_target,
    require_single,
)

CaptumAttribution = require("captum.attr", extra="captum", purpose="this explainer").Attribution
log_usage = require("captum.log", extra="captum", purpose="this explainer").log_usage

__all__ = ["CaptumExplainer", "as_captum"]


def as_captum(method: Method | str, model: Callable[..., Tensor], seed: int = 0) -> CaptumExplainer:
    """Wrap a method as a Captum explainer.

    Captum's NoiseTunnel, infidelity and sensitivity accept the result like any explainer of Captum. The guarantees of
    `perdure.attribute` hold: evaluation mode, batch independence, and the model stays unchanged.

    Args:
        method: Method or its registry name, optionally with settings: "occlusion:window=2".
        model: Function of the inputs and of the additional arguments of `attribute`.
        seed: Seed for all random draws; each call of `attribute` draws the same numbers.

    Returns:
        Explainer of the model.

    Raises:
        UnknownNameError: when no method has this name.

    Example:
        >>> model = torch.nn.Linear(2, 2, bias=False)
        >>> _ = torch.nn.init.constant_(model.weight, 3.0)
        >>> as_captum("input_x_gradient", model).attribute(torch.tensor([[1.0, 2.0]]), target=1).tolist()
        [[3.0, 6.0]]
    """
    chosen: Method = METHODS.make(method) if isinstance(method, str) else method
    return CaptumExplainer(chosen, model, seed)


class CaptumExplainer(CaptumAttribution):  # type: ignore[misc]
    """A method with the interface of Captum.

    Args:
        method: Method that computes the maps.
        model: Model to explain.
        seed: Seed for all random draws.
    """

    def __init__(self, method: Method, model: Callable[..., Tensor], seed: int) -> None:
        super().__init__(model)
        self.method, self.seed = method, seed

    @log_usage()  # type: ignore[untyped-decorator]
    def attribute(
        self,
        inputs: Tensor | tuple[Tensor],
        baselines: Tensor | float | tuple[Tensor | float] | None = None,
        target: CaptumTarget = None,
        additional_forward_args: Any = None,
        *,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Tensor | tuple[Tensor]:
        """Explain inputs.

        Samples are explained separately if additional arguments or baselines differ between them.

        Args:
            inputs: Tensor (batch, ...), or a tuple of one tensor.
            baselines: Baseline for methods that have one: a number, one sample, or one per input; the samples of the
                background for methods with a background. None for the default of the method.
            target: Target as in Captum; None for a model with one output.
            additional_forward_args: Arguments of the model after the inputs; tensors hold one row per sample.
            lengths: Valid steps of each sample, for a model with an argument `lengths`.

        Returns:
            Contiguous map; a tuple if the inputs are a tuple.

        Raises:
            UnsupportedError: for several inputs.
            SettingError: for baselines with a method that has none.
            ShapeError: for baselines or additional arguments that do not match the inputs.
            LabelError: when the target does not match the outputs.
        """
        x = require_single(inputs, "inputs").detach()
        method, start = apply_baselines(self.method, require_single(baselines, "baselines"), x)
        extra, generator = check_extra(additional_forward_args, len(x)), torch.Generator().manual_seed(self.seed)
        groups = _split_batch(x, start, extra)
        side = side_inputs(self.forward_func, x, lengths)
        first = BoundModel(self.forward_func, *_select_rows(groups[0], start, extra), slice_side(side, groups[0]))
        label, shape = parse_target(target, first, x, lengths)
        maps = []
        for rows in groups:
            offset, further = _select_rows(rows, start, extra)
            model = bind_model(
                self.forward_func, BoundModel(self.forward_func, offset, further, slice_side(side, rows)), shape
            )
            part = x[rows] if offset is None else x[rows] - offset
            valid = None if lengths is None else lengths[rows]
            output = _make_target(self.forward_func, label[rows], shape)
            result = attribute(model, part, method, target=output, lengths=valid, generator=generator)
            maps.append(result.values)
        values = torch.cat(maps).contiguous()
        return (values,) if isinstance(inputs, tuple) else values


def _make_target(model: object, label: Tensor, shape: tuple[int, ...]) -> Logit:
    """Make the target of Captum: an output as it is, also where a single one may be a logit or a number."""
    kind = declared_outputs(model)
    if shape == (1,):
        single: dict[Outputs | None, Outputs] = {
            "logit": "independent_logits",
            "probability": "independent_probabilities",
            None: "numbers",
        }
        kind = single.get(kind, kind)
    return Logit(label, kind)


def _split_batch(x: Tensor, start: Tensor | None, extra: tuple[Any, ...]) -> list[slice]:
    """Split a batch into samples if they differ in more than inputs and targets."""
    differ = (start is not None and len(start) > 1) or any(isinstance(item, Tensor) and item.ndim for item in extra)
    return [slice(i, i + 1) for i in range(len(x))] if differ else [slice(0, len(x))]


def _select_rows(rows: slice, start: Tensor | None, extra: tuple[Any, ...]) -> tuple[Tensor | None, tuple[Any, ...]]:
    offset = start if start is None or len(start) == 1 else start[rows]
    return offset, tuple(item[rows] if isinstance(item, Tensor) and item.ndim else item for item in extra)
