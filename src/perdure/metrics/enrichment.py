"""Enrichment: the weight on true sites that were found, less the weight on those that were missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites
from perdure.ops.rank import mark_top

__all__ = ["Enrichment"]


@dataclass(frozen=True)
class Enrichment:
    r"""Scaled map on the true sites among the highest, less on the true sites that are not, per true site.

    .. math:: e = \frac1{|b|} \Big( \sum_{i \in b \cap top} s_i - \sum_{i \in b \setminus top} s_i \Big),
        \quad |top| = |b|

    Sites tied at the threshold share the last places equally. The truth itself scores 1, a constant map 0; a
    map that is high at true sites, but higher elsewhere, scores below 0.

    Args:
        absolute: whether s and the ranks are made from the absolute value of the map; otherwise from the
            signed map.

    Reference:
        ismail2019inputcell
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    absolute: bool = True

    def measure(self, attribution: Attribution) -> Measurement:
        """Weigh found against missed sites.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The enrichment, in [-1, 1].
        """
        result = sites(attribution, self.absolute)
        size = result.truth.sum(1)
        top = mark_top(result.importance, size, result.valid)
        return Measurement((result.truth * result.scaled * (2 * top - 1)).sum(1) / size)
