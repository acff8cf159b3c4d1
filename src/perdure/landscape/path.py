"""Paths: weights as a function of the fraction of the path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.ops.params import Params, distance, interpolate

__all__ = ["Chain", "Path", "connect_linearly", "space_evenly"]

_FINE = 1000
"""Number of pieces to measure the length of a curve."""


class Path(Protocol):
    """A way between two points."""

    @property
    def points(self) -> tuple[Params, ...]:
        """The points that define it, ends included."""
        ...

    def at(self, t: float) -> Params:
        """Return the weights at fraction t of the path; 0 and 1 are exactly the ends."""
        ...


@dataclass(frozen=True, eq=False)
class Chain:
    """Straight pieces from point to point, travelled at constant speed.

    Args:
        points: Two or more, the ends among them.

    Raises:
        SettingError: For fewer.
        ShapeError: If points do not fit each other.

    Example:
        >>> corner = Chain(tuple({"w": torch.tensor(at)} for at in ([0.0, 0.0], [3.0, 0.0], [3.0, 1.0])))
        >>> corner.length, corner.at(0.5)["w"].tolist()
        (4.0, [2.0, 0.0])
    """

    points: tuple[Params, ...]

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise SettingError(f"a path of {len(self.points)} points has no two ends", "give two points or more")

    @cached_property
    def steps(self) -> Tensor:
        """Length of each piece."""
        return torch.tensor([distance(a, b) for a, b in pairwise(self.points)], dtype=torch.float64)

    @property
    def length(self) -> float:
        """Length of the way."""
        return float(self.steps.sum())

    def at(self, t: float) -> Params:
        """Return the weights at fraction t of the length.

        Args:
            t: Share, from 0 to 1.

        Returns:
            A point on a piece.

        Raises:
            SettingError: For a fraction outside of [0, 1].
        """
        if not 0 <= t <= 1:
            raise SettingError(f"t is {t}", "give a fraction of the path, from 0 to 1")
        if t == 1:
            return dict(self.points[-1])
        ends = self.steps.cumsum(0)
        done = t * float(ends[-1])
        piece = min(int(torch.searchsorted(ends, done)), len(self.steps) - 1)
        length = float(self.steps[piece])
        fraction = 1 - (float(ends[piece]) - done) / length if length else 0.0
        return interpolate(self.points[piece], self.points[piece + 1], min(max(fraction, 0.0), 1.0))


def space_evenly(path: Path, points: int = 25) -> Chain:
    """Return points at equal arc length along a path, as a chain.

    A curve has no constant speed, and the points of a tracking are dense where steps were short; what is compared
    between neighbours would depend on that. The length of a curve is that of a chain through a thousand pieces of it.

    Args:
        path: Any path.
        points: Number of points, both ends included.

    Returns:
        The points, joined by straight pieces; the ends exactly.

    Raises:
        SettingError: For fewer than 2 points.

    Example:
        >>> corner = Chain(tuple({"w": torch.tensor([at])} for at in (0.0, 1.0, 1.5, 4.0)))
        >>> [point["w"].item() for point in space_evenly(corner, 5).points]
        [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    check_counts(points=points - 1)
    fractions = np.linspace(0, 1, points)
    if not isinstance(path, Chain):
        fine = np.linspace(0, 1, _FINE + 1)
        steps = [distance(item, two) for item, two in pairwise(path.at(float(t)) for t in fine)]
        done = np.concatenate([[0.0], np.cumsum(steps)])
        fractions[1:-1] = np.interp(fractions[1:-1] * done[-1], done, fine)
    return Chain(tuple(path.at(float(t)) for t in fractions))


def connect_linearly(first: Params, second: Params) -> Chain:
    """Connect two points by the straight line.

    Args:
        first: Start of the path.
        second: End of the path.

    Returns:
        The path (1 - t) first + t second.

    Raises:
        ShapeError: If the two do not fit.

    Reference:
        goodfellow2015qualitatively

    Example:
        >>> import torch
        >>> connect_linearly({"w": torch.tensor([0.0])}, {"w": torch.tensor([8.0])}).at(0.25)["w"].item()
        2.0
    """
    return Chain((first, second))
