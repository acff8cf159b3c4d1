"""The query: one question to one model, and the only place that differentiates for an explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from perdure.core.errors import IndependentOutputError, ShapeError
from perdure.core.protocols import Resumable
from perdure.core.target import Target

__all__ = ["Passes", "Query", "evaluation"]


@dataclass
class Passes:
    """Counts the samples that went forward and backward through the model."""

    forward: int = 0
    backward: int = 0


@dataclass(frozen=True, eq=False)
class Query:
    """One question: why does the model give these inputs that target?

    Args:
        model: called as `model(x)`, or as `model(x, lengths=lengths)` when there is a mask.
        x: the inputs asked about, always floating point.
        target: from the outputs to one scalar per sample.
        mask: true at valid steps; None when every step is valid.
        seeds: one seed per sample, for methods that draw.
        rows: the most samples in one call of the model; more are split.
        passes: counts the work.
    """

    model: Callable[..., Tensor]
    x: Float[Tensor, "batch *site"]
    target: Target
    mask: Bool[Tensor, "batch time"] | None = None
    seeds: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    rows: int = 2048
    passes: Passes = field(default_factory=Passes)

    @property
    def lengths(self) -> Tensor | None:
        """Number of valid steps of each sample, or None without a mask."""
        return None if self.mask is None else self.mask.sum(1)

    def value(self, points: Float[Tensor, "*copies batch *site"]) -> Float[Tensor, "*copies batch"]:
        """Evaluate the target at points shaped like x, with or without a leading axis of copies.

        Args:
            points: where to evaluate; copies share the samples' targets and masks.

        Returns:
            The target, one per point, without a graph.
        """
        with evaluation(self.model), torch.no_grad():
            return self._over_copies(points, self._forward)

    def gradient(self, points: Float[Tensor, "*copies batch *site"]) -> Float[Tensor, "*copies batch *site"]:
        """Differentiate the target with respect to its input.

        Args:
            points: where to differentiate, shaped as in `value`; not written to.

        Returns:
            The gradient at each point.

        Raises:
            IndependentOutputError: when no gradient connects output and input.
        """
        with evaluation(self.model), torch.enable_grad():
            return self._over_copies(points, self._backward)

    def states(self, starts: list[int]) -> list[Any] | None:
        """Run a causal recurrent model once and keep its states, to go on from there.

        Args:
            starts: ascending steps before which to keep the state.

        Returns:
            One state per start for `value_from`, or None when the model cannot go on from a state.
        """
        if not (isinstance(self.model, Resumable) and self.model.resumable):
            return None
        self.passes.forward += len(self.x)
        with evaluation(self.model), torch.no_grad():
            return self.model.prefix_states(self.x, starts, self.lengths)

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

    def _over_copies(self, points: Tensor, evaluate: Callable[[Tensor], Tensor]) -> Tensor:
        if points.ndim == self.x.ndim:
            return evaluate(points[None])[0]
        copies = max(1, self.rows // len(self.x))
        return torch.cat([evaluate(some) for some in points.split(copies)])

    def _forward(self, points: Tensor) -> Tensor:
        copies, samples = points.shape[:2]
        self.passes.forward += copies * samples
        rows = points.flatten(0, 1)
        lengths = self.lengths
        logits = self.model(rows) if lengths is None else self.model(rows, lengths=lengths.repeat(copies))
        if logits.ndim == 1:
            logits = logits[:, None]
        return torch.stack([self._scalar(some) for some in logits.unflatten(0, (copies, samples))])

    def _scalar(self, logits: Tensor) -> Tensor:
        values = self.target(logits)
        if values.shape != logits.shape[:1]:
            raise ShapeError(
                f"the target gives shape {tuple(values.shape)} for outputs {tuple(logits.shape)}",
                "let the target return one scalar per sample",
            )
        return values

    def _backward(self, points: Tensor) -> Tensor:
        leaf = points.detach().clone().requires_grad_()
        total = self._forward(leaf).sum()
        self.passes.backward += points.shape[0] * points.shape[1]
        gradient = torch.autograd.grad(total, leaf, allow_unused=True)[0] if total.requires_grad else None
        if gradient is None:
            raise IndependentOutputError(
                "no gradient connects the output of the model to its input: it ignores, detaches or rounds the input",
                "check that the model reads its argument; for rounding inside the model use the method 'occlusion'",
            )
        return gradient


@contextmanager
def evaluation(model: Callable[..., Tensor]) -> Iterator[None]:
    """Put a model in evaluation mode for a while, and leave it as it was.

    cuDNN cannot run a recurrent backward pass in evaluation mode, so it is switched off during the calls of
    recurrent modules, and only there. Parameters keep their flags and gradients.

    Args:
        model: any callable; only modules have a mode.

    Yields:
        Nothing.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    modes = {module: module.training for module in model.modules()}
    with ExitStack() as stack:
        for module in model.modules():
            module.training = False
            if isinstance(module, nn.RNNBase):
                _without_cudnn(module, stack)
        try:
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode


def _without_cudnn(module: nn.RNNBase, stack: ExitStack) -> None:
    """Switch cuDNN off around each call of a module, until the stack closes."""
    flags: list[bool] = []

    def enter(*_: object) -> None:
        flags.append(torch.backends.cudnn.enabled)
        torch.backends.cudnn.enabled = False

    def leave(*_: object) -> None:
        torch.backends.cudnn.enabled = flags.pop()

    stack.callback(module.register_forward_pre_hook(enter).remove)
    stack.callback(module.register_forward_hook(leave, always_call=True).remove)
