"""IoU: the overlap of the truth with what is hotter than a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites
from perdure.ops.position import Granularity

__all__ = ["IoU"]

THRESHOLDS = 50
"""Thresholds, from 0 in steps of 0.02 to 0.98."""


@dataclass(frozen=True)
class IoU:
    r"""Intersection over union of the true positions with those whose heat exceeds a threshold.

    .. math:: I_t = \frac{|\{s > t\} \cap b|}{|\{s > t\} \cup b|}, \quad t = 0, 0.02, \dots, 0.98

    The heat :math:`s` is the positive part of the map as a fraction of its largest value. The curve holds all
    thresholds; the value is that of the best one, or their mean. The truth itself scores 1, a constant map the
    fraction of true positions, a map without heat 0. Even at random the best threshold scores about that share or
    a little more, so compare it with its null.

    Args:
        reduce: "best" for the best threshold of each sample, "mean" for the mean over thresholds, which also measures
            for clear levels: where truth holds unequal numbers per position, not even the truth has a mean of 1.
        compat: "published" for heat as it is given, in [0, 1], averaged over the numbers of a position, and 1e-6
            added to the union.
        absolute: whether heat is made from the absolute value of the map; otherwise negative parts are cold.
        granularity: "position" for tokens, steps or pixels, whose numbers are summed, "element" for every number of
            the map by itself.

    Reference:
        zhang2021inputiba

    Notes:
        The published code gives the curve alone and takes flat masks only; `reduce` is ours.
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    reduce: Literal["best", "mean"] = "best"
    compat: Literal["exact", "published"] = "exact"
    absolute: bool = True
    granularity: Granularity = "position"

    def __post_init__(self) -> None:
        check_choice("reduce", self.reduce, ("best", "mean"))
        check_choice("compat", self.compat, ("exact", "published"))
        check_choice("granularity", self.granularity, get_args(Granularity))

    def measure(self, attribution: Attribution) -> Measurement:
        """Cut the map at each threshold.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The overlap, in [0, 1], with that at each threshold as curve.

        Raises:
            DataError: when a published heat exceeds 1, or all positions of a sample are true.
        """
        result = sites(attribution, self.absolute, self.granularity)
        published = self.compat == "published"
        heat = (result.given_heat if published else result.heat).double()
        cuts = [_overlap(heat > k / THRESHOLDS, result.truth) for k in range(THRESHOLDS)]
        curve = torch.stack([both / (either + 1e-6 * published) for both, either in cuts], 1)
        values = curve.amax(1) if self.reduce == "best" else curve.mean(1)
        return Measurement(values.to(result.importance.dtype), curve.to(result.importance.dtype))


def _overlap(hot: Tensor, truth: Tensor) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Count the positions in both and in either."""
    return (hot & truth).sum(1).double(), (hot | truth).sum(1).double()
