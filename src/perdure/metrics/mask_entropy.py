"""Mask entropy: how undecided a mask is on the true sites."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import ClassVar

import torch

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._mask import OnMask

__all__ = ["MaskEntropy"]


@dataclass(frozen=True)
class MaskEntropy(OnMask):
    r"""Entropy of the mask on the true sites, in bits per true site; it depends on the scale of the map.

    .. math:: S = -\frac1{|b|} \sum_{i \in b} m_i \log_2 m_i + (1 - m_i) \log_2 (1 - m_i)

    Low is good: a mask of zeros and ones has entropy 0. That holds whatever it marks, also nothing at all, so the
    measure needs a measure of location next to it, such as `auprc`. The truth itself and a constant map score 0, a
    uniform random map 0.72. `aux` holds `total`, the published sum over true sites.

    Args:
        scale: "unit" scales the absolute value of the map to [0, 1] in each sample; "given" takes masks in [0, 1] as
            they are.

    Raises:
        SettingError: For another scale.

    Reference:
        crabbe2021explaining

    Example:
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[0.5, 1.0, 0.0, 1.0]])
        >>> query = Query(lambda x: x, x, lambda outputs: outputs[:, 0])
        >>> truth = torch.tensor([[True, True, False, False]])
        >>> MaskEntropy().measure(Attribution(x, source=query, truth=truth)).values.item()  # 1 bit and none
        0.5
    """

    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    def measure(self, attribution: Attribution) -> Measurement:
        """Average the entropy over the true sites.

        Args:
            attribution: Attribution with a truth.

        Returns:
            Bits per true site.

        Raises:
            DataError: For a mask outside of [0, 1] that is taken as given.
        """
        mask, truth = self.masks(attribution)
        nats = -(torch.xlogy(mask, mask) + torch.xlogy(1 - mask, 1 - mask))
        return self.average(nats / log(2), truth)
