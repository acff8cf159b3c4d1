"""What is asked of the tracking of a valley, and what it came to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.landscape.path import Chain
from perdure.ops.params import Params

__all__ = ["Detour", "Tracked", "Valley"]


@dataclass(frozen=True)
class Valley:
    """How to track a valley.

    Args:
        allowed: the most that the loss may lie above that of the worse end, in nats; None lets it lie above by the
            standard error of that loss, and rise further where there is no other way, so that the increase is a result.
        longest: the longest step, as a share of the distance between the ends.
        least: what every step must take off the distance to the target, as a share of that between the ends; so
            there are at most 1 / least steps, and a path that comes no closer has stalled.
        between: how many points on the piece of each step must keep the bound as well as its end; each costs a loss.
        corrections: gradients after a step, before its loss is looked at.
        rounds: how often corrections may follow each other before a shorter step is tried.
        batch_size: samples of a gradient.
        evaluations: losses of points after which no further step begins.
        seconds: time after which no further step begins.

    Raises:
        SettingError: for a value that cannot be used.
    """

    allowed: float | None = None
    longest: float = 0.05
    least: float = 1e-3
    between: int = 1
    corrections: int = 8
    rounds: int = 4
    batch_size: int = 256
    evaluations: int = 10_000
    seconds: float = math.inf

    def __post_init__(self) -> None:
        check_counts(evaluations=self.evaluations, between=self.between + 1, batch_size=self.batch_size)
        check_counts(corrections=self.corrections, rounds=self.rounds)
        if not 0 < self.least < self.longest <= 1:
            raise SettingError(
                f"least is {self.least} and longest is {self.longest}",
                "give 0 < least < longest <= 1, for example 0.001 and 0.05",
            )
        if self.allowed is not None and not self.allowed >= 0:
            raise SettingError(f"allowed is {self.allowed}", "give a loss increase of at least 0, or None")


@dataclass(frozen=True, eq=False)
class Tracked:
    """How far the tracking of a valley came.

    Args:
        points: of the path, from the start; the target is the last one when it was reached.
        losses: the mean loss at each.
        level: the loss that no point lies above, nor any of those looked at between them.
        increase: how much that is above the loss of the worse end: the loss increase that the path needed.
        ended: why it ended: at the target, stalled, or out of evaluations or time.
        stride: length of the last step.
        evaluations: losses of points that were computed, in all.
        gradients: gradients that were computed, in all.
    """

    points: tuple[Params, ...]
    losses: tuple[float, ...]
    level: float
    increase: float
    ended: Literal["target", "stalled", "evaluations", "seconds"]
    stride: float
    evaluations: int
    gradients: int

    @property
    def path(self) -> Chain:
        """The points, joined by straight pieces; a tracking that took no step has none."""
        return Chain(self.points)


@dataclass(frozen=True, eq=False)
class Detour(Tracked):
    """How far the published tracking of a valley came, with all that its next step depends on.

    Args:
        base: number of the point from which it goes straight on.
        share: of the straight line from there that is done.
        slope: the descent that is asked for.
        moments: running means of gradient and squared gradient that Adam has of the way.
        moves: steps that Adam has taken.
        random: where the stream of samples stands.
    """

    base: int
    share: float
    slope: float
    moments: Float[Tensor, "2 weight"]
    moves: int
    random: Int[Tensor, " byte"]
