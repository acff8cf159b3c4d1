"""Areas under precision and recall over the threshold of a scaled map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.metrics._sites import Unit, sites
from perdure.ops.scale import scale_to_unit

__all__ = ["OverThreshold", "Transform"]

Transform = Literal["scale", "rank"]


@dataclass(frozen=True)
class OverThreshold:
    """Settings that the areas of precision and of recall share.

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
    """

    needs_truth: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    absolute: bool = True
    granularity: Unit = "element"
    transform: Transform = "scale"
    compat: Literal["exact", "published"] = "exact"

    def __post_init__(self) -> None:
        check_choice("granularity", self.granularity, get_args(Unit))
        check_choice("transform", self.transform, get_args(Transform))
        check_choice("compat", self.compat, ("exact", "published"))

    def areas(self, attribution: Attribution) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Integrate precision and recall over the threshold.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The area of precision and the area of recall; both are 0 for a constant map.
        """
        result = sites(attribution, self.absolute, self.granularity)
        scaled = result.scaled
        if self.transform == "rank":
            scaled = scale_to_unit(_mean_ranks(scaled, result.valid), result.valid)
        ascending, order = scaled.double().masked_fill(~result.valid, -torch.inf).sort(1)
        truth = result.truth.gather(1, order)
        first = torch.searchsorted(ascending, ascending)  # a threshold selects all tied sites
        above = truth.double().flip(1).cumsum(1).flip(1).gather(1, first)
        place = ascending.clamp_min(0.0)  # padding gets no width
        precision = above / (ascending.shape[1] - first)
        recall = above / truth.sum(1, keepdim=True)
        precision, recall = (self._integrate(curve, place).to(scaled.dtype) for curve in (precision, recall))
        return precision, recall

    def _integrate(self, curve: Tensor, place: Tensor) -> Float[Tensor, " batch"]:
        """Integrate a curve that is constant up to each threshold, from the one before."""
        if self.compat == "published":
            return torch.trapezoid(curve, place, dim=1)
        return (curve[:, 1:] * place.diff(dim=1)).sum(1)


def _mean_ranks(scores: Float[Tensor, "batch site"], valid: Bool[Tensor, "batch site"]) -> Float[Tensor, "batch site"]:
    """Number sites from the lowest up, ties with their mean; padding comes before."""
    scores = scores.masked_fill(~valid, -torch.inf)
    ascending = scores.sort(1).values
    below, up_to = (torch.searchsorted(ascending, scores, right=right) for right in (False, True))
    return ((below + up_to) / 2).masked_fill(~valid, 0.0)
