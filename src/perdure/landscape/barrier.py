"""The barrier on a path: its height, and whether it exceeds the noise of the samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.check import check_counts
from perdure.landscape.path import Path
from perdure.landscape.surface import Surface

__all__ = ["Barrier", "estimate_standard_error", "measure_barrier"]

_QUANTILE = 1.6448536269514722
"""The 95 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Barrier:
    """The loss along a path.

    Args:
        t: Fractions of the path, ascending from 0 to 1.
        losses: Mean loss at each point.
        height: Largest excess of the loss over the straight line between the losses of both ends, at least 0.
        increase: Largest excess of the loss over that of the worse end, at least 0: the allowed loss increase
            that this path needs.
        top: Fraction of the path at which the height is reached.
        noise: Height by chance alone: the 95 % quantile of a normal distribution with the bootstrap standard
            error of the paired difference at the top.
    """

    t: tuple[float, ...]
    losses: tuple[float, ...]
    height: float
    increase: float
    top: float
    noise: float

    @property
    def inside_noise(self) -> bool:
        """Whether the barrier is not significantly different from zero."""
        return self.height <= self.noise


def measure_barrier(
    surface: Surface, path: Path, generator: torch.Generator, points: int = 25, draws: int = 1000
) -> Barrier:
    r"""Measure the barrier on a path at evenly spaced fractions of the path.

    .. math:: \max_t \; L(\theta(t)) - (1 - t) L(\theta(0)) - t L(\theta(1))

    Args:
        surface: Loss surface.
        path: Path to measure.
        generator: Generator of the bootstrap.
        points: Number of points, both ends included.
        draws: Bootstrap samples.

    Returns:
        The barrier and the noise of the samples.

    Reference:
        frankle2020linear

    Example:
        >>> from perdure.core.batch import Batch
        >>> from perdure.landscape.path import connect_linearly
        >>> from perdure.landscape.surface import ModelLoss
        >>> model = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 2, bias=False))
        >>> surface = ModelLoss(model, Batch(torch.ones(2, 1), torch.tensor([0, 0])))
        >>> one = {"0.weight": torch.tensor([[9.0]]), "1.weight": torch.tensor([[9.0], [-9.0]])}
        >>> mirrored = {name: -weight for name, weight in one.items()}
        >>> found = measure_barrier(surface, connect_linearly(one, mirrored), torch.Generator().manual_seed(0))
        >>> round(found.height, 4), found.top, found.inside_noise  # in the middle all weights are zero: ln 2
        (0.6931, 0.5, False)
    """
    check_counts(points=points - 1, draws=draws)
    t = torch.linspace(0, 1, points, dtype=torch.float64)
    losses = torch.stack([surface.losses(path.at(float(fraction))).double().cpu() for fraction in t])
    above = losses - torch.lerp(losses[:1], losses[-1:], t[:, None])
    mean, top = losses.mean(1), int(above.mean(1).argmax())
    return Barrier(
        tuple(t.tolist()),
        tuple(mean.tolist()),
        max(0.0, float(above[top].mean())),
        float(mean.max() - torch.maximum(mean[0], mean[-1])),
        float(t[top]),
        _QUANTILE * estimate_standard_error(above[top], generator, draws),
    )


def estimate_standard_error(values: Float[Tensor, " sample"], generator: torch.Generator, draws: int = 1000) -> float:
    """Estimate the standard error of a mean by drawing the samples again, with repetition.

    Args:
        values: Value of each sample, on the CPU.
        generator: Generator of the draws.
        draws: Bootstrap samples.

    Returns:
        The standard deviation of the means.

    Reference:
        efron1979bootstrap

    Example:
        >>> estimate_standard_error(torch.ones(50), torch.Generator().manual_seed(0))
        0.0
    """
    count = len(values)
    means = [values[torch.randint(count, (count,), generator=generator)].mean() for _ in range(draws)]
    return float(torch.stack(means).std(correction=0))
