"""Jaccard: the overlap of the highest sites with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites
from perdure.ops.rank import mark_top

__all__ = ["Jaccard"]


@dataclass(frozen=True)
class Jaccard:
    r"""Jaccard similarity of the truth and as many of the highest sites.

    .. math:: J = \frac{|top \cap b|}{|top \cup b|}, \quad |top| = |b|

    Sites tied at the threshold share the last places equally. The truth itself scores 1; a constant map
    scores :math:`p / (2 - p)` where the truth holds the fraction :math:`p` of the sites, and a random map about
    as much.

    Args:
        absolute: whether sites are ranked by the absolute value of the map; otherwise by the signed map.

    Reference:
        ismail2019inputcell
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    absolute: bool = True

    def measure(self, attribution: Attribution) -> Measurement:
        """Compare the highest sites with the truth.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The similarity, in [0, 1].
        """
        result = sites(attribution, self.absolute)
        size = result.truth.sum(1)
        common = (mark_top(result.importance, size, result.valid) * result.truth).sum(1)
        return Measurement(common / (2 * size - common))
