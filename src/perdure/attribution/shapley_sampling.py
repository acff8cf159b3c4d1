"""Shapley values by random permutations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from jaxtyping import Float
from torch import Tensor

from perdure.core.check import check_choice, check_counts
from perdure.core.query import Query
from perdure.interop.captum import asked, captum_attr, own_stream
from perdure.interop.cropped import one_by_one
from perdure.ops.baseline import Baseline, baseline_of
from perdure.ops.groups import groups_of, spread
from perdure.ops.position import Granularity

__all__ = ["ShapleySampling"]


@dataclass(frozen=True)
class ShapleySampling:
    r"""Switch the groups of sites on in random orders and average what each adds to the target.

    .. math:: a_g = \operatorname{mean}_{\pi} \; S(\text{groups up to } g \text{ in } \pi) - S(\text{those before } g)

    Every order sums to :math:`S(x) - S(x')`, so the map does too; the value of a group is shared evenly among its
    sites. With M groups 1 + M `samples` forward passes per sample, through Captum.

    Args:
        samples: random orders.
        window: positions in a group along each axis; None for steps, features of a table, and an eighth of an image.
        granularity: "position" for groups with all their features or channels, "element" for each by itself.
        baseline: what stands where a group is off.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        strumbelj2010efficient

    Notes:
        Captum adds up in single precision.
    """

    samples: int = 25
    window: int | None = None
    granularity: Granularity = "position"
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(samples=self.samples, window=self.window or 1)
        check_choice("granularity", self.granularity, get_args(Granularity))
        check_choice("baseline", self.baseline, get_args(Baseline))

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Draw orders for each sample.

        Args:
            query: the question; its seeds make the draws.

        Returns:
            The shares of the mean additions.
        """
        return one_by_one(query, self._map)

    def _map(self, query: Query) -> Tensor:
        groups = groups_of(query.x, self.window, self.granularity)
        start = baseline_of(self.baseline, query.x, query.mask)
        with asked(query) as scalar, own_stream(query):
            explainer = captum_attr().ShapleyValueSampling(scalar)
            values: Tensor = explainer.attribute(
                query.x, start, feature_mask=groups, n_samples=self.samples, perturbations_per_eval=query.rows
            )
        return spread(values, groups)
