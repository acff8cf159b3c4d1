"""Weighted Jaccard: how much of the truth the scaled map covers, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites

__all__ = ["WeightedJaccard"]


@dataclass(frozen=True)
class WeightedJaccard:
    r"""Weighted Jaccard similarity of the map, scaled to [0, 1] in each sample, and the truth.

    .. math:: J = \frac{\sum_i \min(b_i, s_i)}{\sum_i \max(b_i, s_i)}

    It rewards the level of a map as much as its place: a map of random numbers outscores a sparse map that
    is right, so compare it with its null. The truth itself scores 1, a constant map 0.

    Args:
        absolute: whether s is made from the absolute value of the map; otherwise from the signed map.

    Reference:
        ismail2019inputcell
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    absolute: bool = True

    def measure(self, attribution: Attribution) -> Measurement:
        """Compare the scaled map with the truth.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The similarity, in [0, 1].
        """
        result = sites(attribution, self.absolute)
        s, b = result.scaled, result.truth.to(result.importance.dtype)
        return Measurement(torch.minimum(b, s).sum(1) / torch.maximum(b, s).sum(1))
