"""Cumulative prediction difference and preservation: how far the prediction moves while elements are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice, check_counts
from perdure.core.metric import Measurement
from perdure.core.outputs import probability
from perdure.core.query import Query
from perdure.core.target import AtStep, Signed, label_target
from perdure.metrics._along import values_along
from perdure.metrics._perturbation import ROUNDING, check_share, rank_sites
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.curve import resample, step_counts
from perdure.ops.position import Granularity
from perdure.ops.rank import descending_rank

__all__ = ["CumulativeChange", "Prediction"]

Prediction = Literal["probability", "output", "target"]
"""What is followed: the probabilities of all classes, all outputs, or the target."""

POINTS = 64
"""Equal intervals of the curve."""


@dataclass(frozen=True)
class CumulativeChange:
    """Settings that both measures share.

    Args:
        fraction: Fraction of the elements that is removed, rounded down, at least one.
        step: Elements removed at once.
        baseline: Value that an element is set to.
        granularity: "position" for pixels, steps or tokens as a whole, "element" for each number by itself; None for
            "position" for images, and otherwise the unit of the map.
        score: Function of the outputs to follow.
        compat: "exact", or "published" for the mean over numbers.

    Raises:
        SettingError: For a value that cannot be used.
    """

    needs_truth: ClassVar[bool] = False
    perturbs: ClassVar[bool] = True

    fraction: float = 0.1
    step: int = 1
    baseline: Baseline = "zero"
    granularity: Granularity | None = None
    score: Prediction = "probability"
    compat: Literal["exact", "published"] = "exact"

    def __post_init__(self) -> None:
        check_counts(step=self.step)
        set_baseline(self)
        check_choice("granularity", self.granularity, (*get_args(Granularity), None))
        check_choice("score", self.score, get_args(Prediction))
        check_choice("compat", self.compat, ("exact", "published"))
        check_share(self.fraction, "fraction")

    def remove(self, attribution: Attribution, *, largest_first: bool) -> Measurement:
        """Remove elements in the order of their absolute attribution.

        Args:
            attribution: Attribution whose map gives the order.
            largest_first: Whether those of the largest absolute attribution go first, else those of the smallest.

        Returns:
            The sum of all changes, the changes so far as curve, and the bound and what exceeds it as aux.
        """
        places = rank_sites(attribution, self.granularity)
        total = (self.fraction * places.units.double()).long().clamp_min(1)
        counts, _ = step_counts(total, self.step, POINTS)
        worth = places.worth.abs() if largest_first else -places.worth.abs()
        rank = places.spread(descending_rank(worth, places.valid))
        query = attribution.query
        ends = (query.x, baseline_of(self.baseline, query))
        values = values_along(query, ends, rank, counts * places.unit[:, None], self._read)
        weight = 1 / values.shape[2] if self.compat == "published" else 1.0
        sofar = weight * values.diff(dim=1).abs().sum(2).cumsum(1)
        bound = weight * (values[:, -1] - values[:, 0]).abs().sum(1)
        spread, largest = values.amax(1) - values.amin(1), values.abs().amax(1)
        dtype = attribution.values.dtype
        curve = torch.nn.functional.pad(sofar, (1, 0))
        return Measurement(
            sofar[:, -1].to(dtype),
            resample(counts / total[:, None].double(), curve, POINTS).to(dtype),
            {"bound": bound.to(dtype), "turning": (sofar[:, -1] - bound).clamp_min(0).to(dtype)},
            fixed=(spread <= ROUNDING * largest).all(1) | (places.valid.sum(1) < 2),
        )

    def _read(self, query: Query, points: Float[Tensor, "row *site"]) -> Float[Tensor, "row number"]:
        """Compute the numbers of the prediction that is followed."""
        target, labels = query.bound, label_target(query.bound)
        if self.score == "target" or (labels is None and self.score == "probability"):
            return query.value(points)[:, None]
        outputs = query.outputs(points[None])[0]
        while isinstance(target, Signed):
            target = target.target
        if isinstance(target, AtStep):
            outputs = target.at_step(outputs)
        if self.score == "probability" and labels is not None and labels.outputs != "numbers":
            outputs = probability(outputs, labels.kind(outputs))
        return outputs.flatten(1)
