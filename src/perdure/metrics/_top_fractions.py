"""The target without the elements of highest attribution, or with these alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

import torch
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.core.metric import Measurement
from perdure.metrics._along import values_along
from perdure.metrics._perturbation import Followed, follow_target, in_unit, is_fixed, rank_sites
from perdure.ops.baseline import Baseline, set_baseline
from perdure.ops.position import Granularity
from perdure.ops.rank import descending_rank

__all__ = ["TopFractions"]


@dataclass(frozen=True)
class TopFractions:
    """Settings that both measures share.

    Args:
        fractions: Fractions of the elements, each between 0 and 1.
        absolute: Whether elements are ranked by the absolute value of the map.
        baseline: Value in place of an element that is absent.
        granularity: "position" for pixels, steps or tokens as a whole, "element" for each number by itself; None for
            "position" for images, and otherwise the unit of the map.
        score: Function of the outputs to follow.

    Raises:
        SettingError: For a value that cannot be used.
    """

    higher_is_better: ClassVar[bool]
    needs_truth: ClassVar[bool] = False
    perturbs: ClassVar[bool] = True

    fractions: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    absolute: bool = False
    baseline: Baseline = "zero"
    granularity: Granularity | None = None
    score: Followed = "probability"

    def __post_init__(self) -> None:
        fractions: Sequence[float] = self.fractions
        if not fractions or not all(0 < item < 1 for item in fractions):
            raise SettingError(f"fractions are {fractions!r}", "give numbers between 0 and 1: fractions=[0.1, 0.2]")
        object.__setattr__(self, "fractions", tuple(fractions))
        set_baseline(self)
        check_choice("granularity", self.granularity, (*get_args(Granularity), None))
        check_choice("score", self.score, get_args(Followed))

    def compare(self, attribution: Attribution, start: Tensor, end: Tensor) -> Measurement:
        """Compare the target at the inputs with that after the top elements of one input are those of another.

        Args:
            attribution: Attribution whose map gives the order.
            start: Inputs before.
            end: Inputs that the top elements are taken from.

        Returns:
            The mean drop of the target, and the drop at each fraction.
        """
        places = rank_sites(attribution, self.granularity)
        worth = places.worth.abs() if self.absolute else places.worth
        rank = places.spread(descending_rank(worth, places.valid))
        query = follow_target(attribution.query, self.score)
        fractions = torch.tensor(self.fractions, dtype=torch.float64, device=worth.device)
        counts = (fractions * places.units[:, None]).round().long().clamp_min(1)
        values = values_along(query, (start, end), rank, counts * places.unit[:, None])
        before = query.value(query.x).double()
        drop = before[:, None] - values
        dtype = attribution.values.dtype
        low, high = torch.minimum(before, values.amin(1)), torch.maximum(before, values.amax(1))
        reached = drop.amax(1) if self.higher_is_better else drop.amin(1)
        bound = before if self.higher_is_better else before - 1
        return Measurement(
            drop.mean(1).to(dtype),
            drop.to(dtype),
            {"before": before.to(dtype)},
            best=(bound if in_unit(query) else reached).to(dtype),
            fixed=is_fixed(low, high, places.valid),
        )
