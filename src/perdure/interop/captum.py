"""Ours as Captum's: any method as an explainer with `attribute(inputs, baselines, target, additional_forward_args)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.attribution.attribute import attribute
from perdure.core.call import side_inputs, side_of
from perdure.core.errors import DependencyError
from perdure.core.protocols import Method
from perdure.core.registry import METHODS
from perdure.interop.question import Bound, CaptumTarget, bound, compared, labels, rows_of, single

try:
    from captum.attr import Attribution as CaptumAttribution
    from captum.log import log_usage
except ImportError as error:
    raise DependencyError("explainers of Captum need the package 'captum'", "pip install 'perdure[captum]'") from error

__all__ = ["CaptumExplainer", "as_captum"]


def as_captum(method: Method | str, model: Callable[..., Tensor], seed: int = 0) -> CaptumExplainer:
    """Make a method an explainer of Captum.

    It is asked as Captum's own are, and Captum's NoiseTunnel, infidelity and sensitivity take it as one of theirs.
    Everything else is as in `perdure.attribute`: evaluation mode, batch independence, the model left as it was.

    Args:
        method: a method or its registry name, also with settings: "occlusion:window=2".
        model: gives outputs from inputs and from what else is passed to `attribute`.
        seed: of the stream for methods that draw; each call of `attribute` draws the same.

    Returns:
        The explainer.

    Raises:
        UnknownNameError: when no method has this name.

    Example:
        >>> model = torch.nn.Linear(2, 2, bias=False)
        >>> _ = torch.nn.init.constant_(model.weight, 3.0)
        >>> as_captum("input_x_gradient", model).attribute(torch.tensor([[1.0, 2.0]]), target=1).tolist()
        [[3.0, 6.0]]
    """
    made: Method = METHODS.make(method) if isinstance(method, str) else method
    return CaptumExplainer(made, model, seed)


class CaptumExplainer(CaptumAttribution):  # type: ignore[misc]
    """A method of ours with the manners of Captum.

    Args:
        method: the method.
        model: that is explained.
        seed: of the stream for methods that draw.
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

        Where additional arguments or baselines differ between samples, they are explained one after the other.

        Args:
            inputs: one tensor (batch, ...), also as a tuple of one.
            baselines: what the input is compared with, for methods that have a baseline: a number, one sample, or one
                per input; for methods with a background, its samples. None for what the method says.
            target: as Captum takes it; None for a model with one output.
            additional_forward_args: what the model takes after the inputs; tensors hold one row per sample.
            lengths: valid steps of each sample, for a model that takes `lengths=`.

        Returns:
            The map, contiguous; in a tuple when the inputs were.

        Raises:
            UnsupportedError: for several inputs.
            SettingError: for baselines of a method that has none.
            ShapeError: for baselines or additional arguments that do not fit the inputs.
            LabelError: when the target does not fit the outputs.
        """
        x = single(inputs, "inputs").detach()
        method, start = compared(self.method, single(baselines, "baselines"), x)
        extra, generator = rows_of(additional_forward_args, len(x)), torch.Generator().manual_seed(self.seed)
        pieces = _pieces(x, start, extra)
        side = side_inputs(self.forward_func, x, lengths)
        first = Bound(self.forward_func, *_at(pieces[0], start, extra), side_of(side, pieces[0]))
        label, shape = labels(target, first, x, lengths)
        maps = []
        for rows in pieces:
            own, further = _at(rows, start, extra)
            model = bound(self.forward_func, Bound(self.forward_func, own, further, side_of(side, rows)), shape)
            asked = x[rows] if own is None else x[rows] - own
            valid = None if lengths is None else lengths[rows]
            found = attribute(model, asked, method, target=label[rows], lengths=valid, generator=generator)
            maps.append(found.values)
        values = torch.cat(maps).contiguous()
        return (values,) if isinstance(inputs, tuple) else values


def _pieces(x: Tensor, start: Tensor | None, extra: tuple[Any, ...]) -> list[slice]:
    """Cut a batch into samples when they differ in more than their inputs and targets."""
    differ = (start is not None and len(start) > 1) or any(isinstance(one, Tensor) and one.ndim for one in extra)
    return [slice(i, i + 1) for i in range(len(x))] if differ else [slice(0, len(x))]


def _at(rows: slice, start: Tensor | None, extra: tuple[Any, ...]) -> tuple[Tensor | None, tuple[Any, ...]]:
    own = start if start is None or len(start) == 1 else start[rows]
    return own, tuple(one[rows] if isinstance(one, Tensor) and one.ndim else one for one in extra)
