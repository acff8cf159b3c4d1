"""Euclidean distance of the scaled map from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites

__all__ = ["Euclidean"]


@dataclass(frozen=True)
class Euclidean:
    r"""Euclidean distance of the map, scaled to [0, 1] in each sample, from the truth, in units of the truth.

    .. math:: d = \lVert b - s \rVert \,/\, \lVert b \rVert

    The truth itself scores 0, a constant map 1: a map that shows almost nothing looks good here.

    Args:
        absolute: whether s is made from the absolute value of the map; otherwise from the signed map.

    Reference:
        ismail2019inputcell
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    absolute: bool = True

    def measure(self, attribution: Attribution) -> Measurement:
        """Measure the distance.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The distance, 0 or more.
        """
        result = sites(attribution, self.absolute)
        b = result.truth.to(result.importance.dtype)
        return Measurement((b - result.scaled).norm(dim=1) / b.norm(dim=1))
