"""What a path costs: the passes through the model that were asked of a surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from perdure.landscape.surface import Surface
from perdure.ops.params import Params

__all__ = ["MINIBATCH", "Counted", "Told", "passes_of"]

MINIBATCH = 256
"""Samples of a minibatch pass."""

Told = Callable[[int], None]
"""Told how many gradients were computed."""


def passes_of(evaluations: int, gradients: int, size: int, batch_size: int) -> float:
    """Count the minibatch passes of a search, as `Counted` does, by what it says it has computed.

    Args:
        evaluations: losses of points, each of all samples.
        gradients: each of a batch.
        size: number of samples.
        batch_size: samples of a gradient, where there are more.

    Returns:
        Minibatch passes.

    Example:
        >>> passes_of(evaluations=1, gradients=1, size=512, batch_size=256)
        5.0
    """
    return (evaluations * size + 3 * gradients * min(size, batch_size)) / MINIBATCH


def _quiet(_gradients: int) -> None:
    """Say nothing."""


@dataclass(eq=False)
class Counted:
    """A surface that counts what is asked of it.

    The unit is the forward pass of a minibatch of 256 samples. The backward pass of a minibatch counts as two, and a
    gradient takes both, so it counts as three. Passes that only estimate statistics of batch normalisation are not
    counted.

    Args:
        surface: what answers.
        told: hears of each gradient.
        forward: samples that went through the model.
        backward: samples that went back through it.
        gradients: gradients that were computed.

    Example:
        >>> import torch
        >>> from perdure.core.batch import Batch
        >>> from perdure.landscape.surface import ModelLoss
        >>> batch = Batch(torch.ones(512, 1), torch.zeros(512).long())
        >>> counted = Counted(ModelLoss(torch.nn.Linear(1, 2, bias=False), batch))
        >>> weights = {"weight": torch.zeros(2, 1)}
        >>> _ = counted.losses(weights), counted.gradient(weights, torch.arange(256))
        >>> counted.passes
        5.0
    """

    surface: Surface
    told: Told = _quiet
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
        """Give the loss of each sample at a point.

        Args:
            params: the point.

        Returns:
            What the surface says.
        """
        self.forward += self.size
        return self.surface.losses(params)

    def gradient(self, params: Params, some: Int[Tensor, " some"] | None = None) -> Params:
        """Differentiate the mean loss at a point, of some samples or of all.

        Args:
            params: the point.
            some: the samples; None for all.

        Returns:
            What the surface says.
        """
        count = self.size if some is None else len(some)
        self.forward += count
        self.backward += count
        self.gradients += 1
        self.told(self.gradients)
        return self.surface.gradient(params, some)
