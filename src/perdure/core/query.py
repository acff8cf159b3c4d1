"""The query: one question to one model, and the only place that differentiates for an explanation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.brief import Brief
from perdure.core.call import NO_SIDE, Side, call_model, side_inputs, side_of
from perdure.core.errors import IndependentOutputError, ShapeError, UnsupportedError
from perdure.core.evaluation import evaluation
from perdure.core.memory import keep_freed_memory
from perdure.core.opening import Opening
from perdure.core.protocols import Attends, Resumable
from perdure.core.target import Target, select_target

__all__ = ["Passes", "Query", "part"]


@dataclass
class Passes:
    """Counts the samples that went forward and backward through the model."""

    forward: int = 0
    backward: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Query(Brief):
    """One question: why does the model give these inputs that target?

    Args:
        model: called as `model(x)`, or as `model(x, lengths=lengths)` when there is a mask.
        x: the inputs asked about, always floating point.
        target: from the outputs to one scalar per sample.
        mask: true at valid steps; None when every step is valid.
        seeds: one seed per sample, for methods that draw.
        rows: the most samples in one call of the model; more are split.
        passes: counts the work.
        opening: the first pass of x, where it was kept.
        side: side inputs of each sample, which stay the same at all points; None for those that the model finds for x.
        among: positions of the samples among all samples of the call, with their number; None when these are all.
            Settings with one row per sample are selected by them.
    """

    model: Callable[..., Tensor]
    x: Float[Tensor, "batch *site"]
    target: Target
    mask: Bool[Tensor, "batch time"] | None = None
    seeds: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64), repr=False)
    rows: int = field(default=2048, repr=False)
    passes: Passes = field(default_factory=Passes)
    opening: Opening | None = field(default=None, repr=False)
    side: Side | None = field(default=None, repr=False)
    among: tuple[Int[Tensor, " batch"], int] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.side is None:
            object.__setattr__(self, "side", side_inputs(self.model, self.x, self.lengths))

    @property
    def lengths(self) -> Tensor | None:
        """Number of valid steps of each sample, or None without a mask."""
        return None if self.mask is None else self.mask.sum(1)

    @property
    def positions(self) -> tuple[Int[Tensor, " batch"], int]:
        """Positions of the samples among all samples of the call, and the number of those."""
        return (torch.arange(len(self.x)), len(self.x)) if self.among is None else self.among

    def value(self, points: Float[Tensor, "*copies batch *site"]) -> Float[Tensor, "*copies batch"]:
        """Evaluate the target at points shaped like x, with or without a leading axis of copies.

        Args:
            points: where to evaluate; copies share the samples' targets and masks.

        Returns:
            The target, one per point, without a graph.
        """
        with evaluation(self.model), torch.no_grad():
            values = torch.cat([self._forward(some) for some in self._pieces(points)])
        return values if points.ndim > self.x.ndim else values[0]

    def gradient(self, points: Float[Tensor, "*copies batch *site"]) -> Float[Tensor, "*copies batch *site"]:
        """Differentiate the target with respect to its input.

        Args:
            points: where to differentiate, shaped as in `value`; not written to.

        Returns:
            The gradient at each point.

        Raises:
            IndependentOutputError: when no gradient connects output and input.
        """
        return self.value_and_gradient(points)[1]

    def value_and_gradient(
        self, points: Float[Tensor, "*copies batch *site"]
    ) -> tuple[Float[Tensor, "*copies batch"], Float[Tensor, "*copies batch *site"]]:
        """Evaluate the target and differentiate it at the same points, for the price of `gradient`.

        Args:
            points: where to do so, shaped as in `value`; not written to.

        Returns:
            The target and its gradient at each point.

        Raises:
            IndependentOutputError: when no gradient connects output and input.
        """
        with evaluation(self.model), torch.enable_grad():
            pairs = [self._backward(some) for some in self._pieces(points)]
        values, gradients = pairs[0] if len(pairs) == 1 else map(torch.cat, zip(*pairs, strict=True))
        return (values, gradients) if points.ndim > self.x.ndim else (values[0], gradients[0])

    def gradient_at_x(self) -> Float[Tensor, "batch *site"]:
        """Differentiate the target at x itself; a kept first pass is not made again.

        Returns:
            The gradient at x.

        Raises:
            IndependentOutputError: when no gradient connects output and input.
        """
        if self.opening is None:
            return self.gradient(self.x)
        self.passes.forward += len(self.x)
        with torch.enable_grad():
            return self._differentiated(self._targets(self.opening.outputs, 1), self.opening.x)

    def attention(self) -> Float[Tensor, "batch time"]:
        """Ask the model how much attention each step receives.

        Returns:
            Weights, without a graph.

        Raises:
            UnsupportedError: when the model has no attention.
        """
        weights = None
        if isinstance(self.model, Attends):
            self.passes.forward += len(self.x)
            with evaluation(self.model), torch.no_grad():
                weights = self.model.attention(self.x, self.lengths)
        if weights is None:
            raise UnsupportedError(
                f"{type(self.model).__name__} has no attention over steps as it is configured",
                "use a model with attention, for example 'lstm_self_attention' or 'lstm_input_cell_attention', "
                "or give yours a method attention(x, lengths)",
            )
        return weights

    @property
    def resumable(self) -> bool:
        """Whether the model can go on from a state, so that `states` and `value_from` can be used."""
        return isinstance(self.model, Resumable) and self.model.resumable

    def states(self, starts: list[int]) -> list[Any]:
        """Run a resumable model once and keep its states, to go on from there.

        Args:
            starts: ascending steps before which to keep the state.

        Returns:
            One state per start for `value_from`.
        """
        model: Any = self.model
        self.passes.forward += len(self.x)
        with evaluation(self.model), torch.no_grad():
            states: list[Any] = model.prefix_states(self.x, starts, self.lengths)
        return states

    def value_from(
        self, state: Any, points: Float[Tensor, "copies batch rest feature"]
    ) -> Float[Tensor, "copies batch"]:
        """Evaluate the target at points that equal x before the step of a state.

        Args:
            state: one of `states`.
            points: the inputs from that step on.

        Returns:
            The target, one per point, without a graph.
        """
        model: Any = self.model
        self.passes.forward += points.shape[0] * points.shape[1]
        with evaluation(self.model), torch.no_grad():
            return torch.stack([self._scalar(logits) for logits in model.resume(state, points)])

    def _pieces(self, points: Tensor) -> tuple[Tensor, ...]:
        """Cut points into pieces of at most `rows` rows, each with an axis of copies."""
        copies = points if points.ndim > self.x.ndim else points[None]
        return copies.split(max(1, self.rows // len(self.x)))

    def _forward(self, points: Tensor) -> Tensor:
        keep_freed_memory()
        copies, samples = points.shape[:2]
        self.passes.forward += copies * samples
        rows = points.flatten(0, 1)
        return self._targets(call_model(self.model, rows, self.lengths, self.side or NO_SIDE), copies)

    def _targets(self, logits: Tensor, copies: int) -> Tensor:
        columns = logits[:, None] if logits.ndim == 1 else logits
        return torch.stack([self._scalar(some) for some in columns.unflatten(0, (copies, len(self.x)))])

    def _scalar(self, logits: Tensor) -> Tensor:
        values = self.target(logits)
        if values.shape != logits.shape[:1]:
            raise ShapeError(
                f"the target gives shape {tuple(values.shape)} for outputs {tuple(logits.shape)}",
                "let the target return one scalar per sample",
            )
        return values

    def _backward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        leaf = points.detach().clone().requires_grad_()
        values = self._forward(leaf)
        return values.detach(), self._differentiated(values, leaf)

    def _differentiated(self, values: Tensor, leaf: Tensor) -> Tensor:
        total = values.sum()
        self.passes.backward += values.numel()
        gradient = torch.autograd.grad(total, leaf, allow_unused=True)[0] if total.requires_grad else None
        if gradient is None and torch.is_inference_mode_enabled():
            raise UnsupportedError(
                "nothing can be differentiated under torch.inference_mode", "ask outside of it; no_grad does no harm"
            )
        if gradient is None:
            raise IndependentOutputError(
                "no gradient connects the output of the model to its input: it ignores, detaches or rounds the input",
                "check that the model reads its argument; for rounding inside the model use the method 'occlusion'",
            )
        return gradient


def part(query: Query, index: slice | Tensor) -> Query:
    """Ask about some of the samples; the work still counts for the whole question.

    Args:
        query: the question.
        index: which samples: a slice, or positions, which may repeat.

    Returns:
        The question about these samples, with the same `passes`; its first pass is kept when it is about all.
    """
    if isinstance(index, slice) and index.indices(len(query.x)) == (0, len(query.x), 1):
        return query
    mask = None if query.mask is None else query.mask[index]
    target = select_target(query.target, index)
    seeds = query.seeds[index] if len(query.seeds) else query.seeds
    side = side_of(query.side or NO_SIDE, index)
    positions, count = query.positions
    among = (positions[index.to(positions.device) if isinstance(index, Tensor) else index], count)
    x = query.x[index]
    return replace(query, x=x, mask=mask, seeds=seeds, target=target, opening=None, side=side, among=among)
