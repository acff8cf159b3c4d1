"""The loss as a function of the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from perdure.core.batch import Batch, slice_batch, split_batch
from perdure.core.check import all_finite
from perdure.core.copy import copy_module
from perdure.core.device import device_of
from perdure.core.errors import NonFiniteError
from perdure.core.forward import call_model, evaluation
from perdure.core.outputs import Outputs
from perdure.core.resources import row_bound
from perdure.ops.params import Params
from perdure.ops.sequence import lengths_of
from perdure.training.loss import classification_loss, detect_kind

__all__ = ["MINIBATCH", "CountCallback", "CountedSurface", "ModelLoss", "Surface", "count_passes"]


class Surface(Protocol):
    """A loss as a function of the weights."""

    @property
    def size(self) -> int:
        """Number of samples whose losses are averaged."""
        ...

    def losses(self, params: Params) -> Float[Tensor, " sample"]:
        """Return the loss of each sample at a point."""
        ...

    def gradient(self, params: Params, rows: Int[Tensor, " chosen"] | None = None) -> Params:
        """Differentiate the mean loss at a point, of some samples or of all."""
        ...


@dataclass(frozen=True, eq=False)
class ModelLoss:
    """The negative log-likelihood of a model on a batch of samples, with any weights put in.

    The model is run in evaluation mode and stays as it is. Statistics of batch normalisation belong to the weights
    they were estimated with, so they are estimated afresh at each point, ends included, from the samples of the loss.
    Weights and samples are brought to the device of the model, and gradients come back to that of the weights.

    Args:
        model: Model that defines the architecture; called as `model(x)`, or as `model(x, lengths=lengths)` with a mask.
        batch: Samples.
        rows: Most samples in one call; statistics of batch normalisation are averaged over the calls.

    Reference:
        jordan2023repair

    Example:
        >>> surface = ModelLoss(nn.Linear(2, 2), Batch(torch.ones(3, 2), torch.tensor([0, 1, 1])))
        >>> nothing = {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}
        >>> [round(loss.exp().item(), 4) for loss in surface.losses(nothing)]
        [2.0, 2.0, 2.0]
        >>> surface.gradient(nothing)["bias"].mul(6).tolist()
        [1.0, -1.0]
    """

    model: nn.Module
    batch: Batch
    rows: int = 1000

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.batch)

    @property
    def _rows(self) -> int:
        # batch normalisation estimates its statistics from each call, so that a bound would change the loss
        bound = None if _find_normalisations(self.model) else row_bound()
        return self.rows if bound is None else min(self.rows, bound)

    def losses(self, params: Params) -> Float[Tensor, " sample"]:
        """Compute the loss of each sample.

        Args:
            params: Weights of the model.

        Returns:
            Negative log-likelihoods in nats, without a graph, on the CPU.
        """
        with evaluation(self.model), torch.no_grad():
            state = {**params, **self._statistics(params)}
            parts = [self._losses(state, part) for part in split_batch(self.batch, self._rows)]
        return torch.cat(parts).cpu()

    def gradient(self, params: Params, rows: Int[Tensor, " chosen"] | None = None) -> Params:
        """Differentiate the mean loss with respect to the weights.

        Args:
            params: Weights at which to differentiate; not modified.
            rows: Samples to average over; None for all. Batch normalisation uses the statistics of each call.

        Returns:
            The gradient by name; zero for weights that the loss does not depend on.

        Raises:
            NonFiniteError: If it is NaN or infinite.
        """
        leaves = {name: weight.detach().clone().requires_grad_() for name, weight in params.items()}
        chosen = self.batch if rows is None else slice_batch(self.batch, rows)
        total = [torch.zeros_like(weight) for weight in params.values()]
        with evaluation(self.model), _estimate_statistics(self.model), torch.enable_grad():
            for part in split_batch(chosen, self._rows):
                loss = self._losses({**leaves, **_reset_statistics(self.model)}, part).sum() / len(chosen)
                result = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
                total = [sum_ + new for sum_, new in zip(total, result, strict=True)]
        if not all(all_finite(gradient) for gradient in total):
            raise NonFiniteError("the gradient of the loss is NaN or infinite", "look for NaN in weights and samples")
        return dict(zip(params, total, strict=True))

    def model_at(self, params: Params) -> nn.Module:
        """Return a copy of the model with given weights, to predict and explain with.

        Args:
            params: Weights.

        Returns:
            The copy in evaluation mode; its statistics of batch normalisation are those of the samples of the loss.
        """
        with evaluation(self.model), torch.no_grad():
            state = {**params, **self._statistics(params)}
        made = copy_module(self.model).eval()
        made.load_state_dict(state, strict=False)
        return made

    @cached_property
    def _kind(self) -> Outputs:
        return detect_kind(self.model, self.batch)

    def _statistics(self, params: Params) -> Params:
        """Estimate the statistics of batch normalisation with these weights."""
        result = _reset_statistics(self.model)
        if result:
            with _estimate_statistics(self.model):
                for part in split_batch(self.batch, self._rows):
                    self._losses({**params, **result}, part)
        return result

    def _losses(self, state: Params, part: Batch) -> Tensor:
        device = device_of(self.model)
        there = {name: value.to(device) for name, value in state.items()}

        def model_at(x: Tensor, **named: Tensor) -> Tensor:
            outputs: Tensor = functional_call(self.model, there, (x,), named)
            return outputs

        outputs = call_model(model_at, part.inputs.to(device), lengths_of(part.mask))
        return classification_loss(outputs, self._kind, part.label.to(device), reduction="none")


def _find_normalisations(model: nn.Module) -> list[tuple[str, BatchNorm]]:
    return [(n, m) for n, m in model.named_modules() if isinstance(m, BatchNorm) and m.track_running_stats]


def _reset_statistics(model: nn.Module) -> Params:
    """Return statistics of batch normalisation without samples."""
    return {
        f"{name}.{key}" if name else key: torch.zeros_like(value)
        for name, module in _find_normalisations(model)
        for key, value in module.named_buffers(recurse=False)
    }


@contextmanager
def _estimate_statistics(model: nn.Module) -> Iterator[None]:
    """Put only batch normalisation in training mode, with cumulative averages of its statistics."""
    result = [(module, module.training, module.momentum) for _, module in _find_normalisations(model)]
    try:
        for module, _, _ in result:
            module.training, module.momentum = True, None
        yield
    finally:
        for module, training, momentum in result:
            module.training, module.momentum = training, momentum


MINIBATCH = 256
"""Number of samples of a minibatch pass."""

CountCallback = Callable[[int], None]
"""Callback that gets the number of gradients so far."""


def count_passes(evaluations: int, gradients: int, size: int, batch_size: int) -> float:
    """Count the minibatch passes of a search, as `CountedSurface` does, from its numbers of evaluations and gradients.

    Args:
        evaluations: Losses of points, each of all samples.
        gradients: Each of a batch.
        size: Number of samples.
        batch_size: Samples of a gradient, where there are more.

    Returns:
        Minibatch passes.

    Example:
        >>> count_passes(evaluations=1, gradients=1, size=512, batch_size=256)
        5.0
    """
    return (evaluations * size + 3 * gradients * min(size, batch_size)) / MINIBATCH


def _quiet(_gradients: int) -> None:
    """Ignore the message."""


@dataclass(eq=False)
class CountedSurface:
    """A surface that counts its passes.

    The unit is the forward pass of a minibatch of 256 samples. The backward pass of a minibatch counts as two, and a
    gradient takes both, so it counts as three. Passes that only estimate statistics of batch normalisation are not
    counted.

    Args:
        surface: Surface to count.
        on_gradient: Callback after each gradient.
        forward: Samples that went through the model.
        backward: Samples that went back through it.
        gradients: Gradients that were computed.

    Example:
        >>> import torch
        >>> from perdure.core.batch import Batch
        >>> from perdure.landscape.surface import ModelLoss
        >>> batch = Batch(torch.ones(512, 1), torch.zeros(512).long())
        >>> counted = CountedSurface(ModelLoss(torch.nn.Linear(1, 2, bias=False), batch))
        >>> weights = {"weight": torch.zeros(2, 1)}
        >>> _ = counted.losses(weights), counted.gradient(weights, torch.arange(256))
        >>> counted.passes
        5.0
    """

    surface: Surface
    on_gradient: CountCallback = _quiet
    forward: int = 0
    backward: int = 0
    gradients: int = 0

    @property
    def size(self) -> int:
        """Number of samples whose losses are averaged."""
        return self.surface.size

    @property
    def passes(self) -> float:
        """Minibatch passes so far."""
        return (self.forward + 2 * self.backward) / MINIBATCH

    def losses(self, params: Params) -> Float[Tensor, " sample"]:
        """Return the loss of each sample at a point.

        Args:
            params: Point.

        Returns:
            Result of the surface.
        """
        self.forward += self.size
        return self.surface.losses(params)

    def gradient(self, params: Params, rows: Int[Tensor, " chosen"] | None = None) -> Params:
        """Differentiate the mean loss at a point, of some samples or of all.

        Args:
            params: Point.
            rows: Samples; None for all.

        Returns:
            Result of the surface.
        """
        count = self.size if rows is None else len(rows)
        self.forward += count
        self.backward += count
        self.gradients += 1
        self.on_gradient(self.gradients)
        return self.surface.gradient(params, rows)
