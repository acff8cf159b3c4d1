"""Area under the ROC curve of the sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.metric import Measurement
from perdure.metrics._sites import Unit, sites
from perdure.ops.rank import roc_area

__all__ = ["AUROC"]


@dataclass(frozen=True)
class AUROC:
    """Area under the ROC curve: the chance that a true site ranks above another one, a tie counting as half.

    The truth itself scores 1, a constant map 0.5, and a random map about 0.5 whatever the fraction of true sites.

    Args:
        absolute: whether sites are ranked by the absolute value of the map; otherwise by the signed map.
        granularity: "element" for every number of the map by itself, "position" for steps, tokens or pixels, whose
            numbers are summed, "feature" for the features of a series, summed over its steps; a position or feature is
            true when any of its numbers is.

    Reference:
        fawcett2006introduction
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    absolute: bool = True
    granularity: Unit = "element"

    def __post_init__(self) -> None:
        check_choice("granularity", self.granularity, get_args(Unit))

    def measure(self, attribution: Attribution) -> Measurement:
        """Rank the sites of each sample.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The area, in [0, 1].
        """
        result = sites(attribution, self.absolute, self.granularity)
        return Measurement(roc_area(result.importance, result.truth, result.valid))
