"""AUP: area under the precision of a scaled map over its threshold."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._precision_curve import OverThreshold

__all__ = ["AUP"]


@dataclass(frozen=True)
class AUP(OverThreshold):
    r"""Area under the precision of the scaled map over its threshold; it depends on the scale of the map.

    .. math:: AUP = \int_0^1 P(\tau) \, d\tau, \quad P(\tau) = \text{fraction of true sites among } \{i: s_i \ge \tau\}

    with s the map scaled to [0, 1] in each sample. Maps with the same order of the sites score differently, so read
    `auprc` first and `transform="rank"` with it. The truth itself scores 1, a constant map 0, and a random map about
    the fraction of true sites.

    Args:
        absolute: Whether the absolute value of the map is scaled; otherwise the signed map.
        granularity: "element" for every number of the map by itself, "position" for steps, tokens or pixels, whose
            numbers are summed, "feature" for the features of a series, summed over its steps; a position or feature is
            true when any of its numbers is.
        transform: "scale" for values scaled to [0, 1] in each sample, as published; "rank" for their ranks scaled to
            [0, 1], ties with their mean rank, which do not depend on the scale of the map.
        compat: "exact" for the integral; "published" for trapezoids between the distinct values, with which the truth
            itself scores half of 1 and the fraction of true sites.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        crabbe2021explaining

    Example:
        >>> import torch
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[4.0, 1.0, 0.0, 2.0]])
        >>> query = Query(lambda x: x, x, lambda outputs: outputs[:, 0])
        >>> truth = torch.tensor([[True, True, False, False]])
        >>> AUP().measure(Attribution(x, source=query, truth=truth)).values.item()  # 2/3 to .25, 1/2 to .5, 1 to 1
        0.7916666865348816
    """

    def measure(self, attribution: Attribution) -> Measurement:
        """Integrate the precision.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The area, in [0, 1].
        """
        return Measurement(self.areas(attribution)[0])
