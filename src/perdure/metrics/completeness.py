"""Completeness: whether the attributions add up to what they explain."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.errors import CompletenessWarning
from perdure.core.metric import Measurement
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.sequence import site_mask

__all__ = ["Completeness"]


@dataclass(frozen=True)
class Completeness:
    r"""Gap between the sum of the attributions and the change of the target they account for.

    .. math:: \Big| \sum_i a_i - \big( F(x) - F(x') \big) \Big|

    The unit is that of the target: with the default target, logits. The baseline x' should be that of the method; zero
    is the mean of standardised data. Methods that do not claim to add up, such as the plain gradient, leave a
    gap by nature. Valid sites only are summed; the sum is signed.

    Args:
        baseline: baseline that the attributions account for the change from.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        sundararajan2017axiomatic
    """

    needs_truth: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        set_baseline(self)

    def measure(self, attribution: Attribution) -> Measurement:
        """Evaluate the target twice, at the inputs and at the baseline.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The gap, 0 or more.

        Warns:
            CompletenessWarning: when the method of the map has another baseline.
        """
        own = getattr(attribution.method, "baseline", self.baseline)
        if own != self.baseline:
            warnings.warn(
                f"the map accounts for the change from baseline={own}, and completeness is measured from "
                f"baseline={self.baseline}; use completeness:baseline={own}",
                CompletenessWarning,
                stacklevel=2,
            )
        query = attribution.query
        total = (attribution.values * site_mask(query.mask, attribution.values)).flatten(1).sum(1)
        change = query.value(query.x) - query.value(baseline_of(self.baseline, query))
        return Measurement((total - change).abs())
