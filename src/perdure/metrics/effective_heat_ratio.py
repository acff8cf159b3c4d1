"""Effective heat ratio: how much of the heat lies on the truth, over all heights of the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites
from perdure.ops.position import Granularity

__all__ = ["EffectiveHeatRatio"]

BASE = 0.1
"""Heat below this counts as none."""

STEPS = 10
"""Quantiles are 0, 1/10, ..., 1."""

TOP = 0.99
"""No threshold lies above this fraction of the largest heat, so that at least the hottest position is left."""


@dataclass(frozen=True)
class EffectiveHeatRatio:
    r"""Fraction of the heat that lies on true positions, among the positions above a quantile of the heat.

    .. math:: r_q = \frac{\sum_{i \in b,\, s_i \ge t_q} s_i}{\sum_{s_i \ge t_q} s_i}, \quad
        t_q = \min(Q_q, 0.99 \max s), \quad e = \int_0^1 r_q \, dq

    The heat :math:`s` is the positive part of the map as a fraction of its largest value; :math:`Q_q` is the quantile
    of the heats of 0.1 or more; the integral is the trapezoid rule over q = 0, 0.1, ..., 1, which are the curve.
    The truth itself scores 1, also where the map shows only a part of it. A constant map, one without heat and, on
    average, a random one score the fraction of true positions.

    Args:
        weighted: whether positions count by their heat; otherwise all alike.
        compat: "published" for heat as it is given, in [0, 1], averaged over the numbers of a position, and for
            heat on the truth divided by the *number* of positions above the threshold: a map of half the heat
            then scores half. A map that does not reach 0.1 scores 0.
        absolute: whether heat is made from the absolute value of the map; otherwise negative parts are cold.
        granularity: "position" for tokens, steps or pixels, whose numbers are summed, "element" for every number of
            the map by itself.

    Reference:
        zhang2021inputiba

    Notes:
        The published code stops with an error when no position reaches 0.1, erases the smaller heats in the
        caller's map, and divides maps that exceed 1 by 255. Where a quantile falls on a heat exactly, rounding leaves
        that position out there and not here; no other difference is left.
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    weighted: bool = True
    compat: Literal["exact", "published"] = "exact"
    absolute: bool = True
    granularity: Granularity = "position"

    def __post_init__(self) -> None:
        check_choice("compat", self.compat, ("exact", "published"))
        check_choice("granularity", self.granularity, get_args(Granularity))

    def measure(self, attribution: Attribution) -> Measurement:
        """Integrate the fraction of heat on the truth.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The ratio, in [0, 1], with that at each quantile as curve.

        Raises:
            DataError: when a published heat exceeds 1, or all positions of a sample are true.
        """
        result = sites(attribution, self.absolute, self.granularity)
        published = self.compat == "published"
        heat = (result.given_heat if published else result.heat).double()
        warm = (heat >= BASE) & result.valid
        weight = heat if self.weighted else torch.ones_like(heat)
        chance = torch.zeros_like(heat[:, 0]) if published else result.truth.double().sum(1) / result.valid.sum(1)
        rows = []
        for threshold in _thresholds(heat, warm).unbind(1):
            above = warm & (heat >= threshold[:, None])
            whole = above.sum(1) + 1e-8 if published else (above * weight).sum(1)
            ratio = (above * result.truth * weight).sum(1) / whole
            rows.append(torch.where(warm.any(1), ratio, chance))
        curve = torch.stack(rows, 1)
        values = torch.trapezoid(curve, dx=1 / STEPS, dim=1)
        return Measurement(values.to(result.importance.dtype), curve.to(result.importance.dtype))


def _thresholds(heat: Float[Tensor, "batch site"], warm: Bool[Tensor, "batch site"]) -> Float[Tensor, "batch quantile"]:
    """Give the quantiles of the warm sites, linear between neighbours, but none above 99 % of the largest heat."""
    count = warm.sum(1, keepdim=True).clamp_min(1)
    ascending = heat.masked_fill(~warm, torch.inf).sort(dim=1).values
    place = torch.arange(STEPS + 1, device=heat.device) * (count - 1)
    low, remainder = place // STEPS, (place % STEPS) / STEPS
    below, above = ascending.gather(1, low), ascending.gather(1, (low + 1).minimum(count - 1))
    quantile = torch.where(remainder > 0, below + remainder * (above - below), below)
    return torch.minimum(quantile, TOP * heat.amax(1, keepdim=True))
