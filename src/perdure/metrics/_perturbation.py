"""What the metrics that perturb share: an order of the sites, and the curve of two of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice, check_counts
from perdure.core.errors import SettingError
from perdure.core.metric import Measurement
from perdure.core.query import Query
from perdure.core.target import Probability, curve_target, label_target
from perdure.metrics._along import values_along
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.curve import resample, step_counts
from perdure.ops.position import Granularity, position_shape, to_positions, valid_positions
from perdure.ops.rank import descending_rank
from perdure.ops.sequence import site_mask
from perdure.ops.texture import is_constant_within_positions

__all__ = [
    "Followed",
    "PerturbationCurve",
    "RankedSites",
    "check_share",
    "follow_target",
    "in_unit",
    "is_fixed",
    "rank_sites",
    "slice_sites",
]

Followed = Literal["probability", "target"]
"""What a curve follows: the probability of the explained class, or the target itself."""

ROUNDING = 4 * torch.finfo(torch.float32).eps
"""Relative changes of a target that are rounding of a model in single precision."""

STALE_STEPS = 80
"""Steps that the published code for images scores together, all of them as the last one."""


@dataclass(frozen=True, eq=False)
class RankedSites:
    """The places of a map, each with its worth.

    Args:
        worth: one number per place, in double precision.
        valid: true at places that are not padding.
        shape: Shape of a sample's places, so that they broadcast over its sites.
        unit: Number of neighbouring places that the map of a sample does not distinguish, and that are perturbed
            together: the features of a step over which it is constant.
    """

    worth: Float[Tensor, "batch place"]
    valid: Bool[Tensor, "batch place"]
    shape: tuple[int, ...]
    unit: Int[Tensor, " batch"]

    @property
    def units(self) -> Int[Tensor, " batch"]:
        """Number of valid units of each sample."""
        return self.valid.sum(1) // self.unit

    def spread(self, places: Tensor) -> Tensor:
        """Lay numbers of places out so that they broadcast over the sites."""
        return places.reshape(*places.shape[:-1], *self.shape)


def rank_sites(attribution: Attribution, granularity: Granularity | None) -> RankedSites:
    """Lay a map out as the places that are perturbed one by one.

    Args:
        attribution: Attribution, with or without a truth.
        granularity: "position" sums the map over the channels of a pixel or the features of a step and perturbs
            them together; "element" takes each site by itself; None is "position" for images, else the unit of the
            map: the step where it is constant over the features of each step, else the element.

    Returns:
        The signed worth of each place.
    """
    values, mask = attribution.values.double(), attribution.query.mask
    valid = site_mask(mask, values)
    unit = torch.ones(len(values), dtype=torch.long, device=values.device)
    if granularity == "position" or (granularity is None and values.ndim == 4):
        shape = position_shape(values)
        return RankedSites(to_positions(values).flatten(1), valid_positions(valid).flatten(1), shape, unit)
    if granularity is None and values.ndim == 3:
        unit = torch.where(is_constant_within_positions(values, mask), values.shape[2], unit)
    return RankedSites(values.flatten(1), valid.flatten(1), tuple(values.shape[1:]), unit)


def slice_sites(places: RankedSites, rows: Int[Tensor, " row"]) -> RankedSites:
    """Select samples.

    Args:
        places: Places of all samples.
        rows: Positions of the samples.

    Returns:
        Their places.
    """
    return RankedSites(places.worth[rows], places.valid[rows], places.shape, places.unit[rows])


def follow_target(query: Query, score: Followed) -> Query:
    """Turn a question into one about what a curve follows.

    Args:
        query: the question that was explained.
        score: Function of the outputs to follow.

    Returns:
        The question, with the same `passes`.
    """
    return dataclasses.replace(query, target=curve_target(query.bound)) if score == "probability" else query


def in_unit(query: Query) -> bool:
    """Check whether the target of a query is a probability, whose best values are 0 and 1.

    Args:
        query: the query of a curve.

    Returns:
        True for a probability.
    """
    return isinstance(label_target(query.bound), Probability)


def is_fixed(low: Float[Tensor, " batch"], high: Float[Tensor, " batch"], valid: Tensor) -> Bool[Tensor, " batch"]:
    """Mark the samples whose score is the same for every map.

    Args:
        low: lowest value of the target on a curve, in double precision.
        high: highest value.
        valid: true at places or tiles that are replaced one after the other.

    Returns:
        True where the target changes by no more than rounding, or there is a single place.
    """
    return (high - low <= ROUNDING * torch.maximum(low.abs(), high.abs())) | (valid.sum(1) < 2)


def check_share(share: float, name: str = "share") -> None:
    """Check a fraction of the sites.

    Args:
        share: Fraction above 0, at most 1.
        name: Name of the setting.

    Raises:
        SettingError: otherwise.
    """
    if not 0 < share <= 1:
        raise SettingError(f"{name} is {share}", "give a fraction of the sites above 0, at most 1")


@dataclass(frozen=True)
class PerturbationCurve:
    """The settings that insertion and deletion share, and the curve between two inputs.

    Args:
        step: units of the granularity per step, 1 for one by one; None for at most `points` equal steps.
        points: equal steps of the curve.
        baseline: Value in place of a site that is absent.
        granularity: "position" for pixels, steps or tokens as a whole, "element" for each number by itself.
        score: Function of the outputs to follow.
        share: fraction of the sites that is perturbed.
        compat: "exact", or "published" for the area of the published code.

    Raises:
        SettingError: for a value that cannot be used.
    """

    higher_is_better: ClassVar[bool]
    perturbs: ClassVar[bool] = True

    step: int | None = None
    points: int = 64
    baseline: Baseline = "zero"
    granularity: Granularity | None = None
    score: Followed = "probability"
    share: float = 1.0
    compat: Literal["exact", "published"] = "exact"

    def __post_init__(self) -> None:
        check_counts(points=self.points, step=1 if self.step is None else self.step)
        set_baseline(self)
        check_choice("granularity", self.granularity, (*get_args(Granularity), None))
        check_choice("score", self.score, get_args(Followed))
        check_choice("compat", self.compat, ("exact", "published"))
        check_share(self.share)

    def blank(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Make the inputs without any site."""
        return baseline_of(self.baseline, query)

    def between(self, attribution: Attribution, start: Tensor, end: Tensor) -> Measurement:
        """Follow the score while sites pass from one input to another, those of the highest attribution first.

        Args:
            attribution: Attribution whose map gives the order.
            start: the inputs before.
            end: the inputs after all sites have passed.

        Returns:
            The area under the curve and the curve on `points` + 1 equal distances; first and last score as aux.
        """
        places = rank_sites(attribution, self.granularity)
        total = (self.share * places.units.double()).long().clamp_min(1)
        counts, place = self._schedule(total, attribution.values.ndim == 4)
        counts = counts * places.unit[:, None]
        rank = places.spread(descending_rank(places.worth, places.valid))
        query = follow_target(attribution.query, self.score)
        values = values_along(query, (start, end), rank, counts)
        dtype = attribution.values.dtype
        area = torch.trapezoid(values, place, dim=1)
        aux = {"first": values[:, 0].to(dtype), "last": values[:, -1].to(dtype)}
        low, high = values.amin(1), values.amax(1)
        return Measurement(
            area.to(dtype),
            resample(place, values, self.points).to(dtype),
            aux,
            best=None if in_unit(query) else (high if self.higher_is_better else low).to(dtype),
            fixed=is_fixed(low, high, places.valid),
        )

    def _schedule(self, total: Tensor, images: bool) -> tuple[Tensor, Tensor]:
        """Return how many sites each point has taken, and where it lies on the axis of the area."""
        counts, steps = step_counts(total, self.step, self.points)
        if self.compat == "exact":
            return counts, counts / total[:, None].double()
        index = torch.arange(counts.shape[1] - 1, device=counts.device)
        place = torch.minimum(index, steps[:, None] - 1) / steps[:, None].double()
        scored = (index // STALE_STEPS * STALE_STEPS + STALE_STEPS - 1).clamp_max(len(index) - 1) if images else index
        return counts[:, 1:][:, scored], place
