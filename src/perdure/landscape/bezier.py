"""The Bezier curve between two points, bent to where the loss is low."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import comb

import torch

from perdure.core.errors import SettingError
from perdure.landscape.bend import Bend, Bending
from perdure.landscape.learned import learn
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, interpolate

__all__ = ["Bezier", "bezier", "bezier_learner"]


@dataclass(frozen=True, eq=False)
class Bezier:
    """A Bezier curve; with one control point it is quadratic.

    Args:
        points: first end, control points, second end.

    Raises:
        SettingError: when there is no control point.

    Example:
        >>> curve = Bezier(tuple({"w": torch.tensor(at)} for at in ([0.0, 0.0], [1.0, 2.0], [2.0, 0.0])))
        >>> curve.at(0.5)["w"].tolist()
        [1.0, 1.0]
    """

    points: tuple[Params, ...]

    def __post_init__(self) -> None:
        if len(self.points) < 3:
            raise SettingError(f"there are {len(self.points)} points", "give two ends with a control point between")

    def at(self, t: float) -> Params:
        """Give the weights at a parameter of the curve; its speed is not constant (`evenly` makes it so).

        Args:
            t: from 0 to 1.

        Returns:
            A point, for one control point (1 - t)^2 first + 2 t (1 - t) control + t^2 second; the ends exactly.

        Raises:
            SettingError: for a parameter outside of the curve.
        """
        if not 0 <= t <= 1:
            raise SettingError(f"t is {t}", "give a share of the path, from 0 to 1")
        points = self.points
        while len(points) > 1:
            points = tuple(interpolate(one, two, t) for one, two in pairwise(points))
        return points[0]


def bezier(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: Bend | None = None
) -> Bezier:
    """Learn a low-loss Bezier curve between two points.

    Args:
        surface: gives the gradients.
        first: where it starts.
        second: where it ends.
        generator: the stream of shares and samples.
        settings: how to learn the control points; None for the defaults.

    Returns:
        The curve.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    return learn(bezier_learner(surface, first, second, settings), generator)


def bezier_learner(surface: Surface, first: Params, second: Params, settings: Bend | None = None) -> Bending[Bezier]:
    """Say how a low-loss Bezier curve is learned.

    Args:
        surface: gives the gradients.
        first: where it starts.
        second: where it ends.
        settings: how to learn the control points; None for the defaults.

    Returns:
        The learner, which can be cut and goes on.

    Raises:
        ShapeError: when the two ends do not fit.
    """
    settings = settings or Bend()
    return Bending(surface, (first, second), settings, partial(_bernstein, settings.bends + 1), Bezier)


def _bernstein(degree: int, t: float) -> tuple[float, ...]:
    """Give the Bernstein polynomials of a degree."""
    return tuple(comb(degree, k) * t**k * (1 - t) ** (degree - k) for k in range(degree + 1))
