"""Completeness: whether the attributions add up to what they explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from perdure.core.trial import Measurement, Trial
from perdure.ops.sequence import site_mask

__all__ = ["Completeness"]


@dataclass(frozen=True)
class Completeness:
    r"""Gap between the sum of the attributions and the change of the target they account for.

    .. math:: \Big| \sum_i a_i - \big( F(x) - F(0) \big) \Big|

    The unit is that of the target: with the default target, logits. The baseline is zero at every site, which
    is the mean of standardised data. Methods that do not claim to add up, such as the plain gradient, leave a
    gap by nature. Valid sites only are summed; the sum is signed.

    Reference:
        sundararajan2017axiomatic
    """

    needs_truth: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    def measure(self, trial: Trial) -> Measurement:
        """Ask the model twice, at the inputs and at the baseline.

        Args:
            trial: with or without truth.

        Returns:
            The gap, 0 or more.
        """
        query = trial.query
        total = (trial.attribution * site_mask(query.mask, trial.attribution)).flatten(1).sum(1)
        change = query.value(query.x) - query.value(torch.zeros_like(query.x))
        return Measurement((total - change).abs())
