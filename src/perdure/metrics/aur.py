"""AUR: area under the recall of a scaled map over its threshold."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._precision_curve import OverThreshold

__all__ = ["AUR"]


@dataclass(frozen=True)
class AUR(OverThreshold):
    r"""Area under the recall of the scaled map over its threshold: the mean scaled value of the true sites.

    .. math:: AUR = \int_0^1 R(\tau) \, d\tau = \frac1{|b|} \sum_{i \in b} s_i, \quad
        R(\tau) = \text{fraction of } \{i: s_i \ge \tau\} \text{ among the true sites}

    with s the map scaled to [0, 1] in each sample and b the true sites. It measures how values are distributed, not
    how sites are ranked: the exact map of a sum of squares ranks all true sites first and scores 0.13, while a map that
    is 1 nearly everywhere scores nearly 1, and a uniform random map 0.5. Nearly binary masks score high by
    construction. So read `auprc` first and `transform="rank"` with it. The truth itself scores 1, a constant map 0.

    Args:
        absolute: Whether the absolute value of the map is scaled; otherwise the signed map.
        granularity: "element" for every number of the map by itself, "position" for steps, tokens or pixels, whose
            numbers are summed, "feature" for the features of a series, summed over its steps; a position or feature is
            true when any of its numbers is.
        transform: "scale" for values scaled to [0, 1] in each sample, as published; "rank" for their ranks scaled to
            [0, 1], ties with their mean rank, which do not depend on the scale of the map.
        compat: "exact" for the integral; "published" for trapezoids between the distinct values.

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
        >>> AUR().measure(Attribution(x, source=query, truth=truth)).values.item()  # the mean of 1 and 1/4
        0.625
    """

    def measure(self, attribution: Attribution) -> Measurement:
        """Integrate the recall.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The area, in [0, 1].
        """
        return Measurement(self.areas(attribution)[1])
