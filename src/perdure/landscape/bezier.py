"""The quadratic Bezier curve between two points, bent to where the loss is low."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from perdure.core.errors import SettingError
from perdure.landscape.bend import Bend, learned_bend
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, interpolate

__all__ = ["Bezier", "bezier"]


@dataclass(frozen=True, eq=False)
class Bezier:
    """A quadratic Bezier curve.

    Args:
        points: first end, control point, second end.

    Raises:
        SettingError: when there are not three.

    Example:
        >>> curve = Bezier(tuple({"w": torch.tensor(at)} for at in ([0.0, 0.0], [1.0, 2.0], [2.0, 0.0])))
        >>> curve.at(0.5)["w"].tolist()
        [1.0, 1.0]
    """

    points: tuple[Params, ...]

    def __post_init__(self) -> None:
        if len(self.points) != 3:
            raise SettingError(f"there are {len(self.points)} points", "give two ends with a control point between")

    def at(self, t: float) -> Params:
        """Give the weights at a parameter of the curve; its speed is not constant.

        Args:
            t: from 0 to 1.

        Returns:
            A point (1 - t)^2 first + 2 t (1 - t) control + t^2 second; the ends exactly.

        Raises:
            SettingError: for a parameter outside of the curve.
        """
        if not 0 <= t <= 1:
            raise SettingError(f"t is {t}", "give a share of the path, from 0 to 1")
        first, control, second = self.points
        return interpolate(interpolate(first, control, t), interpolate(control, second, t), t)


def bezier(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: Bend | None = None
) -> Bezier:
    """Learn a low-loss Bezier curve between two points.

    Args:
        surface: gives the gradients.
        first: where it starts.
        second: where it ends.
        generator: the stream of shares and samples.
        settings: how to learn the control point; None for the defaults.

    Returns:
        The curve.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.

    Reference:
        garipov2018loss
    """
    control = learned_bend(surface, (first, second), _parts, settings or Bend(), generator)
    return Bezier((first, control, second))


def _parts(t: float) -> tuple[float, float, float]:
    return (1 - t) ** 2, 2 * t * (1 - t), t**2
