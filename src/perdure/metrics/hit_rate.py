"""Hit rate: the fraction of the true positions that are among the highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites
from perdure.ops.position import Granularity
from perdure.ops.rank import mark_top

__all__ = ["HitRate"]


@dataclass(frozen=True)
class HitRate:
    r"""Fraction of the k true positions found among the k highest, which is precision and recall at k alike.

    .. math:: h = \frac{|top \cap b|}{k}, \quad |top| = |b| = k

    Positions tied at the threshold share the last places equally: the value is the expectation when ties are
    broken at random. The truth itself scores 1; a constant map scores the fraction of true positions, and a random
    map as much on average. Jaccard orders maps in the same way, on another scale.

    Args:
        absolute: whether positions are ranked by the absolute value of the map; otherwise by the signed map.
        granularity: "position" for tokens, steps or pixels, whose numbers are summed, "element" for every number of
            the map by itself.

    Reference:
        schulz2020restricting

    Example:
        >>> import torch
        >>> from perdure.core.query import Query
        >>> truth = torch.tensor([[[True], [True], [False], [False]]])
        >>> values = torch.tensor([[[3.0], [0.0], [1.0], [-2.0]]])
        >>> query = Query(lambda x: x.sum((1, 2)), values, lambda logits: logits[:, 0])
        >>> HitRate().measure(Attribution(values, source=query, truth=truth)).values.item()
        0.5
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    absolute: bool = True
    granularity: Granularity = "position"

    def __post_init__(self) -> None:
        check_choice("granularity", self.granularity, get_args(Granularity))

    def measure(self, attribution: Attribution) -> Measurement:
        """Count the true positions among the highest.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The share, in [0, 1].
        """
        result = sites(attribution, self.absolute, self.granularity)
        size = result.truth.sum(1)
        return Measurement((mark_top(result.importance, size, result.valid) * result.truth).sum(1) / size)
