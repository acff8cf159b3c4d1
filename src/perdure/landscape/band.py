"""The nudged elastic band: a chain whose points slide down across it while they keep their places along it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.landscape.bend import slowing_adam, some_samples
from perdure.landscape.path import Chain
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, check_alike, flatten, unflatten

__all__ = ["Band", "band"]


@dataclass(frozen=True)
class Band:
    """How a band is relaxed: Adam, in rounds, whose learning rate falls to zero over the second half of each.

    Args:
        pivots: points between the ends, at first.
        steps: of Adam in a round; each takes one gradient of each pivot.
        learning_rate: of the first half of a round; when it is high, pivots part and the loss rises between them.
        batch_size: samples of one step.
        insertions: further rounds, each with one more pivot than the one before.

    Raises:
        SettingError: for a value that cannot be used.
    """

    pivots: int = 7
    steps: int = 60
    learning_rate: float = 0.005
    batch_size: int = 128
    insertions: int = 2

    def __post_init__(self) -> None:
        check_counts(pivots=self.pivots, steps=self.steps, batch_size=self.batch_size, insertions=self.insertions + 1)
        if not self.learning_rate > 0:
            raise SettingError(f"learning_rate is {self.learning_rate}", "give a positive number")


@dataclass(frozen=True, eq=False)
class _Chained:
    """Points of a band, and the share of its length at which each is kept."""

    points: Float[Tensor, "point weight"]
    shares: Float[Tensor, " point"]


def band(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: Band | None = None
) -> Chain:
    """Relax a band between two points.

    Each pivot goes down the part of its gradient that is at right angles to the band. Then all are set back to their
    shares of its length, as springs of infinite strength would. After each round a pivot is put into the middle of
    that piece whose middle lies highest above its ends, and it keeps this place.

    Args:
        surface: gives losses and gradients.
        first: where it starts.
        second: where it ends.
        generator: the stream of samples.
        settings: how to relax; None for the defaults.

    Returns:
        The band; it starts as the straight line.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.

    Reference:
        draxler2018essentially
    """
    settings = settings or Band()
    check_alike(first, second)
    shares = torch.linspace(0, 1, settings.pivots + 2, dtype=torch.float64)
    start, end = flatten(first), flatten(second)
    found = _Chained(torch.lerp(start, end, shares[:, None].to(start)), shares)
    for done in range(settings.insertions + 1):
        found = _inserted(surface, found, first) if done else found
        found = _relaxed(surface, found, first, settings, generator)
    return Chain((first, *(unflatten(pivot, first) for pivot in found.points[1:-1]), second))


def _relaxed(surface: Surface, chained: _Chained, like: Params, settings: Band, generator: torch.Generator) -> _Chained:
    """Let the pivots slide for a round."""
    points = chained.points.clone()
    inner = points[1:-1]
    learner, falling = slowing_adam([inner], settings.learning_rate, settings.steps)
    for _ in range(settings.steps):
        some = some_samples(surface.size, settings.batch_size, generator)
        slopes = torch.stack([flatten(surface.gradient(unflatten(pivot, like), some)) for pivot in inner])
        inner.grad = across(slopes, points)
        learner.step()
        falling.step()
        inner.copy_(redistributed(points, chained.shares)[1:-1])
    return _Chained(points, chained.shares)


def across(slopes: Float[Tensor, "pivot weight"], points: Float[Tensor, "point weight"]) -> Tensor:
    """Take off gradients what points along a chain: towards the next point and away from the one before.

    Args:
        slopes: a gradient for each point but the ends.
        points: of the chain, ends included.

    Returns:
        What is left, at right angles to the chain; all of it where the neighbours of a point are one.
    """
    along = torch.nn.functional.normalize(points[2:] - points[:-2], dim=1)
    return slopes - (slopes * along).sum(1, keepdim=True) * along


def redistributed(points: Float[Tensor, "point weight"], shares: Float[Tensor, " point"]) -> Tensor:
    """Set points back to given shares of the length of the chain through them.

    Args:
        points: of the chain.
        shares: ascending from 0 to 1, one for each point.

    Returns:
        Points on the chain, the ends as they are.

    Example:
        >>> redistributed(torch.tensor([[0.0], [3.0], [4.0]]), torch.tensor([0.0, 0.5, 1.0])).flatten().tolist()
        [0.0, 2.0, 4.0]
    """
    steps = (points[1:] - points[:-1]).norm(dim=1).double()
    ends = steps.cumsum(0)
    done = shares.to(ends) * ends[-1]
    piece = torch.searchsorted(ends, done).clamp_max(len(steps) - 1)
    part = 1 - (ends[piece] - done) / steps[piece].clamp_min(torch.finfo(steps.dtype).tiny)
    moved = torch.lerp(points[piece], points[piece + 1], part.clamp(0, 1)[:, None].to(points))
    return torch.cat([points[:1], moved[1:-1], points[-1:]])


def _inserted(surface: Surface, chained: _Chained, like: Params) -> _Chained:
    """Put a point into the middle of the piece that is highest there, as seen from its ends."""
    points, shares = chained.points, chained.shares
    middles = (points[1:] + points[:-1]) / 2
    loss, between = (_losses(surface, some, like) for some in (points, middles))
    k = int((between - (loss[1:] + loss[:-1]) / 2).argmax()) + 1
    middle = (shares[k - 1 : k] + shares[k : k + 1]) / 2
    return _Chained(
        torch.cat([points[:k], middles[k - 1 : k], points[k:]]), torch.cat([shares[:k], middle, shares[k:]])
    )


def _losses(surface: Surface, points: Tensor, like: Params) -> Tensor:
    return torch.stack([surface.losses(unflatten(point, like)).double().mean() for point in points])
