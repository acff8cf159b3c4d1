"""Mask information: how many bits a mask has on the true sites."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._mask import OnMask

__all__ = ["MaskInformation"]

FLOOR = 1e-5
"""Number that the paper adds, so that a site with mask 1 has 16.6 bits."""


@dataclass(frozen=True)
class MaskInformation(OnMask):
    r"""Information of the mask on the true sites, in bits per true site; it depends on the scale of the map.

    .. math:: I = -\frac1{|b|} \sum_{i \in b} \log_2 (1 - m_i + 10^{-5})

    The measure is made for masks in [0, 1]. A site at 1 counts 16.6 bits, one at 0.5 a single bit: a few extreme sites
    decide, and a map that is scaled to [0, 1] always has one. So read `auprc` first. The truth itself scores 16.6, a
    constant map 0, a uniform random map 1.44. `aux` holds `total`, the published sum over true sites.

    Args:
        scale: "unit" scales the absolute value of the map to [0, 1] in each sample; "given" takes masks in [0, 1] as
            they are.

    Raises:
        SettingError: For another scale.

    Reference:
        crabbe2021explaining

    Example:
        >>> import torch
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[0.5, 0.75, 0.0, 1.0]])
        >>> query = Query(lambda x: x, x, lambda outputs: outputs[:, 0])
        >>> truth = torch.tensor([[True, True, False, False]])
        >>> round(MaskInformation().measure(Attribution(x, source=query, truth=truth)).values.item(), 3)  # 1 and 2 bits
        1.5
    """

    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = -log2(FLOOR)

    def measure(self, attribution: Attribution) -> Measurement:
        """Average the information over the true sites.

        Args:
            attribution: Attribution with a truth.

        Returns:
            Bits per true site.

        Raises:
            DataError: For a mask outside of [0, 1] that is taken as given.
        """
        mask, truth = self.masks(attribution)
        return self.average(-(1 - mask + FLOOR).log2(), truth)
