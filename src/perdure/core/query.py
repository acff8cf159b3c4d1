"""The query: model, inputs and target of an explanation, and the only place that differentiates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.abilities import HasAttention, Resumable
from perdure.core.binding import Scaled, bind_target, outputs_at
from perdure.core.errors import IndependentOutputError, ShapeError, UnsupportedError
from perdure.core.forward import NO_SIDE, CachedForward, Side, call_model, evaluation, side_inputs, slice_side
from perdure.core.resources import keep_freed_memory, row_limit
from perdure.core.short_repr import ShortRepr
from perdure.core.target import Target, label_target, select_target

__all__ = ["PassCount", "Query", "slice_query"]


@dataclass
class PassCount:
    """Counts the samples that went forward and backward through the model."""

    forward: int = 0
    backward: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Query(ShortRepr):
    """Model, inputs and target of an explanation.

    Args:
        model: called as `model(x)`, or as `model(x, lengths=lengths)` when there is a mask.
        x: Inputs, always floating point.
        target: Function from the outputs to one scalar per sample.
        mask: true at valid steps; None when every step is valid.
        seeds: one seed per sample, for methods that draw.
        batch_size: most rows in one call of the model, copies of the samples included; None for a number that suits
            the size of a sample.
        passes: counts the work.
        cached: The forward pass of x with its graph, if it was computed before.
        side: side inputs of each sample, which stay the same at all points; None for those that the model finds for x.
        among: positions of the samples among all samples of the call, with their number; None when these are all.
            Settings with one row per sample are selected by them.
    """

    model: Callable[..., Tensor]
    x: Float[Tensor, "batch *site"]
    target: Target
    mask: Bool[Tensor, "batch time"] | None = None
    seeds: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64), repr=False)
    batch_size: int | None = field(default=None, repr=False)
    passes: PassCount = field(default_factory=PassCount)
    cached: CachedForward | None = field(default=None, repr=False)
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

    @property
    def rows(self) -> int:
        """Most rows in one call of the model."""
        return row_limit(self.x) if self.batch_size is None else self.batch_size

    @cached_property
    def bound(self) -> Target:
        """The target, bound to what the model returns: found from its outputs where neither of them declares it.

        Raises:
            LabelError: when labels or steps do not fit the outputs.
            ShapeError: when outputs are not (batch, classes).
            UnsupportedError: when the outputs contradict their declaration.
        """
        if _is_bound(self.target):
            return self.target
        return self._bind(self._probe(self.x[:1])(1.0))

    def _bind(self, outputs: Tensor) -> Target:
        return bind_target(self.target, self.model, len(self.x), outputs, self._probe(self.x))

    def _probe(self, x: Tensor) -> Scaled:
        return outputs_at(self.model, x, self.lengths, self.side or NO_SIDE, self.rows)

    def value(self, points: Float[Tensor, "*copies batch *site"]) -> Float[Tensor, "*copies batch"]:
        """Evaluate the target at points shaped like x, with or without a leading axis of copies.

        Args:
            points: Points to evaluate; copies share the samples' targets and masks.

        Returns:
            The target, one per point, without a graph.
        """
        with evaluation(self.model), torch.no_grad():
            values = torch.cat([query._value(item) for query, item in self._parts(points)], 1)
        return values if points.ndim > self.x.ndim else values[0]

    def gradient(self, points: Float[Tensor, "*copies batch *site"]) -> Float[Tensor, "*copies batch *site"]:
        """Differentiate the target with respect to its input.

        Args:
            points: Points at which to differentiate, shaped as in `value`; not written to.

        Returns:
            The gradient at each point.

        Raises:
            IndependentOutputError: when no gradient connects output and input.
        """
        return self.value_and_gradient(points)[1]

    def value_and_gradient(
        self, points: Float[Tensor, "*copies batch *site"]
    ) -> tuple[Float[Tensor, "*copies batch"], Float[Tensor, "*copies batch *site"]]:
        """Evaluate the target and differentiate it at the same points, at the cost of `gradient`.

        Args:
            points: Points, shaped as in `value`; not written to.

        Returns:
            The target and its gradient at each point.

        Raises:
            IndependentOutputError: when no gradient connects output and input.
        """
        if points is self.x and self.cached is not None:
            return self._backward_from_cache(self.cached)
        with evaluation(self.model), torch.enable_grad():
            pairs = [query._backward(item) for query, item in self._parts(points)]
        values, gradients = pairs[0] if len(pairs) == 1 else (torch.cat(item, 1) for item in zip(*pairs, strict=True))
        return (values, gradients) if points.ndim > self.x.ndim else (values[0], gradients[0])

    def outputs(self, points: Float[Tensor, "copies batch *site"]) -> Float[Tensor, "copies batch *output"]:
        """Compute all outputs at points, without a graph.

        Args:
            points: copies of the inputs.

        Returns:
            The outputs of the model.
        """
        with evaluation(self.model), torch.no_grad():
            return torch.cat([query._outputs_in_pieces(item) for query, item in self._parts(points)], 1)

    def pull_back(
        self,
        points: Float[Tensor, "copies batch *site"],
        function: Callable[[Float[Tensor, "copies batch *output"]], Float[Tensor, " *number"]],
    ) -> Float[Tensor, "copies batch *site"]:
        """Differentiate the sum of a function of all outputs, which may mix rows, such as a moment over copies.

        Where the rows do not fit into one call, their outputs are computed before, without a graph.

        Args:
            points: Points at which to differentiate; not written to.
            function: Differentiable function of the outputs at all points.

        Returns:
            The gradient at each point.
        """
        with evaluation(self.model), torch.enable_grad():
            if points.shape[0] * points.shape[1] <= self.rows:
                leaf = points.detach().requires_grad_()
                self.passes.backward += points.shape[0] * points.shape[1]
                return torch.autograd.grad(function(self._outputs(leaf)).sum(), leaf)[0]
            outputs = self.outputs(points).requires_grad_()
            (slopes,) = torch.autograd.grad(function(outputs).sum(), outputs)
            pairs = zip(self._parts(points), slopes.split(self.rows, 1), strict=True)
            return torch.cat([query._pull_back(item, slope) for (query, item), slope in pairs], 1)

    def attention(self) -> Float[Tensor, "batch time"]:
        """Return the attention of the model to each step.

        Returns:
            Weights, without a graph.

        Raises:
            UnsupportedError: when the model has no attention.
        """
        weights = None
        if isinstance(self.model, HasAttention):
            self.passes.forward += len(self.x)
            with evaluation(self.model), torch.no_grad():
                weights = self.model.attention(self.x.clone(), self.lengths)
        if weights is None:
            raise UnsupportedError(
                f"{type(self.model).__name__} has no attention over steps as it is configured",
                "use a model with attention, for example 'lstm_self_attention' or 'lstm_input_cell_attention', "
                "or give yours a method attention(x, lengths)",
            )
        return weights

    @property
    def resumable(self) -> bool:
        """Whether the model can resume from a state, so that `states` and `value_from` can be used."""
        return isinstance(self.model, Resumable) and self.model.resumable

    def states(self, starts: list[int]) -> list[Any]:
        """Run a resumable model once and keep its states, to resume from them.

        Args:
            starts: ascending steps before which to keep the state.

        Returns:
            One state per start for `value_from`.
        """
        model: Any = self.model
        self.passes.forward += len(self.x)
        with evaluation(self.model), torch.no_grad():
            states: list[Any] = model.prefix_states(self.x.clone(), starts, self.lengths)
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
        with evaluation(self.model), torch.no_grad():
            return torch.stack([self._scalar(logits) for logits in self._resume(state, points.clone())])

    def outputs_from(
        self, state: Any, points: Float[Tensor, "copies batch rest feature"]
    ) -> Float[Tensor, "copies batch *output"]:
        """Compute all outputs at points that equal x before the step of a state, without a graph.

        Args:
            state: one of `states`.
            points: the inputs from that step on.

        Returns:
            The outputs of the model.
        """
        with evaluation(self.model), torch.no_grad():
            return self._resume(state, points.clone())

    def gradient_from(
        self, state: Any, points: Float[Tensor, "copies batch rest feature"]
    ) -> Float[Tensor, "copies batch rest feature"]:
        """Differentiate the target with respect to the steps after a state.

        Args:
            state: one of `states`.
            points: the inputs from that step on; not written to.

        Returns:
            The gradient at each point.
        """
        with evaluation(self.model), torch.enable_grad():
            leaf = points.detach().requires_grad_()
            values = torch.stack([self._scalar(logits) for logits in self._resume(state, leaf)])
            return self._differentiate(values, leaf)

    def _resume(self, state: Any, points: Tensor) -> Tensor:
        model: Any = self.model
        self.passes.forward += points.shape[0] * points.shape[1]
        outputs: Tensor = model.resume(state, points)
        return outputs

    def _parts(self, points: Tensor) -> list[tuple[Query, Tensor]]:
        """Split into queries about at most `rows` samples, with their points, which get an axis of copies."""
        copies, rows = points if points.ndim > self.x.ndim else points[None], self.rows
        parts = (slice(i, i + rows) for i in range(0, len(self.x), rows))
        return [(slice_query(self, item), copies[:, item]) for item in parts]

    def _pieces(self, points: Tensor) -> tuple[Tensor, ...]:
        """Split points into pieces of at most `rows` rows."""
        return points.split(max(1, self.rows // len(self.x)))

    def _value(self, points: Tensor) -> Tensor:
        return torch.cat([self._forward(item) for item in self._pieces(points)])

    def _forward(self, points: Tensor) -> Tensor:
        return torch.stack([self._scalar(batch) for batch in self._outputs(points)])

    def _outputs(self, points: Tensor) -> Tensor:
        keep_freed_memory()
        copies, samples = points.shape[:2]
        self.passes.forward += copies * samples
        if self.lengths is None:
            side = slice_side(self.side or NO_SIDE, torch.arange(samples).repeat(copies))
            return call_model(self.model, points.flatten(0, 1), None, side).unflatten(0, (copies, samples))
        # The copies of a sample follow one another, so that falling lengths, as torch packs them, keep falling.
        index = torch.arange(samples).repeat_interleave(copies)
        rows, side = points.transpose(0, 1).flatten(0, 1), slice_side(self.side or NO_SIDE, index)
        outputs = call_model(self.model, rows, self.lengths[index], side)
        return outputs.unflatten(0, (samples, copies)).transpose(0, 1)

    def _scalar(self, logits: Tensor) -> Tensor:
        if "bound" not in self.__dict__ and not _is_bound(self.target):
            self.__dict__["bound"] = self._bind(logits)  # by outputs that are there, without a further pass
        values = self.bound(logits)
        if values.shape != logits.shape[:1]:
            raise ShapeError(
                f"the target gives shape {tuple(values.shape)} for outputs {tuple(logits.shape)}",
                "let the target return one scalar per sample",
            )
        return values

    def _outputs_in_pieces(self, points: Tensor) -> Tensor:
        return torch.cat([self._outputs(item) for item in self._pieces(points)])

    def _pull_back(self, points: Tensor, slopes: Tensor) -> Tensor:
        """Multiply slopes by the derivatives of the outputs."""
        gradients = []
        for item, slope in zip(self._pieces(points), self._pieces(slopes), strict=True):
            leaf = item.detach().requires_grad_()
            self.passes.backward += slope.shape[0] * slope.shape[1]
            gradients.append(torch.autograd.grad(self._outputs(leaf), leaf, slope)[0])
        return torch.cat(gradients)

    def _backward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [self._backward_piece(item) for item in self._pieces(points)]
        return pairs[0] if len(pairs) == 1 else (torch.cat([v for v, _ in pairs]), torch.cat([g for _, g in pairs]))

    def _backward_piece(self, points: Tensor) -> tuple[Tensor, Tensor]:
        leaf = (points.clone() if points.is_inference() else points.detach()).requires_grad_()
        values = self._forward(leaf)
        return values.detach(), self._differentiate(values, leaf)

    def _backward_from_cache(self, cached: CachedForward) -> tuple[Tensor, Tensor]:
        """Differentiate at x itself without a further forward pass; the cached one is counted here."""
        self.passes.forward += len(self.x)
        with torch.enable_grad():
            values = self._scalar(cached.outputs)
            return values.detach(), self._differentiate(values, cached.x)

    def _differentiate(self, values: Tensor, leaf: Tensor) -> Tensor:
        total = values.sum()
        self.passes.backward += values.numel()
        gradient = torch.autograd.grad(total, leaf, allow_unused=True)[0] if total.requires_grad else None
        if gradient is None and torch.is_inference_mode_enabled():
            raise UnsupportedError(
                "nothing can be differentiated under torch.inference_mode",
                "call perdure outside of it; torch.no_grad is allowed",
            )
        if gradient is None:
            raise IndependentOutputError(
                "no gradient connects the output of the model to its input: it ignores, detaches or rounds the input",
                "check that the model reads its argument; for rounding inside the model use the method 'occlusion'",
            )
        return gradient


def _is_bound(target: Target) -> bool:
    inner = label_target(target)
    return inner is None or inner.outputs is not None


def slice_query(query: Query, index: slice | Tensor) -> Query:
    """Restrict a query to some of its samples; the work still counts for the whole query.

    Args:
        query: Query about all samples.
        index: Samples: a slice, or positions, which may repeat.

    Returns:
        The query about these samples, with the same `passes`; the cached pass is kept for all samples.
    """
    if isinstance(index, slice) and index.indices(len(query.x)) == (0, len(query.x), 1):
        return query
    mask = None if query.mask is None else query.mask[index]
    target = select_target(query.bound, index)
    seeds = query.seeds[index] if len(query.seeds) else query.seeds
    side = slice_side(query.side or NO_SIDE, index)
    positions, count = query.positions
    among = (positions[index.to(positions.device) if isinstance(index, Tensor) else index], count)
    x = query.x[index]
    return replace(query, x=x, mask=mask, seeds=seeds, target=target, cached=None, side=side, among=among)
