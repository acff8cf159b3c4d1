"""Pointing game: whether the highest position is a true one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

import torch

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites
from perdure.ops.position import Granularity
from perdure.ops.rank import mark_top

__all__ = ["Pointing"]


@dataclass(frozen=True)
class Pointing:
    """Whether the highest position is a true one: 1 for a hit, 0 for a miss.

    Where several positions are highest, the value is the fraction of them that are true: the chance of a hit when
    one of them is drawn. The truth itself scores 1, a constant map the fraction of true positions, and a random map
    as much on average.

    Args:
        absolute: whether the highest is that of the absolute value of the map; otherwise of the signed map.
        granularity: "position" for tokens, steps or pixels, whose numbers are summed, "element" for every number of
            the map by itself.

    Reference:
        zhang2018topdown

    Notes:
        The published game also counts a hit up to 15 pixels next to the object, which depends on the size of the
        images; here the position itself must be true.
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    absolute: bool = True
    granularity: Granularity = "position"

    def __post_init__(self) -> None:
        check_choice("granularity", self.granularity, get_args(Granularity))

    def measure(self, attribution: Attribution) -> Measurement:
        """Look where the map points.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The fraction of hits, in [0, 1].
        """
        result = sites(attribution, self.absolute, self.granularity)
        item = torch.ones_like(result.truth[:, 0], dtype=torch.int64)
        return Measurement((mark_top(result.importance, item, result.valid) * result.truth).sum(1))
