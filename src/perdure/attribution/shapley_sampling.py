"""Shapley values by random permutations."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from perdure.attribution._captum.feature_groups import GroupAblation
from perdure.attribution._captum.forward_module import as_forward_module, import_captum
from perdure.core.check import check_counts
from perdure.core.query import Query
from perdure.core.random import seed_libraries

__all__ = ["ShapleySampling"]


@dataclass(frozen=True)
class ShapleySampling(GroupAblation):
    r"""Switch the groups of sites on in random orders and average what each adds to the target.

    .. math:: a_g = \operatorname{mean}_{\pi} \; S(\text{groups up to } g \text{ in } \pi) - S(\text{those before } g)

    Every order sums to :math:`S(x) - S(x')`, so the map does too; the value of a group is shared evenly among its
    sites. With M groups 1 + M `samples` forward passes per sample, through Captum.

    Args:
        samples: random orders.
        window: positions in a group along each axis; None for steps, features of a table, and an eighth of an image.
        granularity: "position" for groups with all their features or channels, "element" for each by itself.
        baseline: Value where a group is off.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        strumbelj2010efficient

    Notes:
        Captum adds up in single precision.
    """

    samples: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(samples=self.samples)

    def attribute_groups(self, query: Query, start: Tensor, groups: Tensor) -> Tensor:
        """Draw orders for the sample.

        Args:
            query: about one sample; its seeds make the draws.
            start: Value where a group is off.
            groups: the number of the group of each site.

        Returns:
            The mean addition of each group.
        """
        with as_forward_module(query) as scalar, seed_libraries(int(query.seeds[0]), query.x.device):
            explainer = import_captum().ShapleyValueSampling(scalar)
            values: Tensor = explainer.attribute(
                query.x, start, feature_mask=groups, n_samples=self.samples, perturbations_per_eval=query.rows
            )
        return values
