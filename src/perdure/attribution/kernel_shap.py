"""Kernel SHAP: Shapley values by weighted regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from jaxtyping import Float
from torch import Tensor

from perdure.core.check import check_choice, check_counts
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.interop.captum import asked, captum_attr, own_stream
from perdure.interop.cropped import one_by_one
from perdure.ops.baseline import Baseline, baseline_of
from perdure.ops.groups import groups_of, spread
from perdure.ops.position import Granularity

__all__ = ["KernelShap"]


@dataclass(frozen=True)
class KernelShap:
    r"""Fit a linear model to the target with some groups of sites switched off, drawn by the Shapley kernel.

    .. math:: P(|z| = k) \propto \frac{M - 1}{k \, (M - k)}

    The weight of a group estimates its Shapley value, and they sum to :math:`S(x) - S(x')`; it is shared evenly among
    the sites of the group. `samples` forward passes per sample, through Captum.

    Args:
        samples: switchings, everything on and everything off included.
        window: positions in a group along each axis; None for steps, features of a table, and an eighth of an image.
        granularity: "position" for groups with all their features or channels, "element" for each by itself.
        baseline: what stands where a group is off.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        lundberg2017unified

    Notes:
        Captum fits in single precision, which leaves a relative error of about 1e-4.
    """

    samples: int = 500
    window: int | None = None
    granularity: Granularity = "position"
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(samples=self.samples, window=self.window or 1)
        check_choice("granularity", self.granularity, get_args(Granularity))
        check_choice("baseline", self.baseline, get_args(Baseline))

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Fit a linear model to each sample.

        Args:
            query: the question; its seeds make the draws.

        Returns:
            The shares of the Shapley values.

        Raises:
            SettingError: when there are too few samples for the groups.
        """
        return one_by_one(query, self._map)

    def _map(self, query: Query) -> Tensor:
        groups = groups_of(query.x, self.window, self.granularity)
        start = baseline_of(self.baseline, query.x, query.mask)
        count = int(groups.max()) + 1
        if count == 1:  # all of the change belongs to the only group, and Captum's kernel divides by zero
            change = query.value(query.x) - query.value(start)
            return spread(change.reshape(-1, *[1] * (query.x.ndim - 1)).expand_as(query.x), groups)
        if self.samples < count + 2:
            raise SettingError(
                f"{self.samples} samples do not determine the values of {count} groups",
                f"give at least {count + 2}, better twenty times as many, or a larger window",
            )
        with asked(query) as scalar, own_stream(query):
            values: Tensor = (
                captum_attr()
                .KernelShap(scalar)
                .attribute(
                    query.x,
                    start,
                    feature_mask=groups,
                    n_samples=self.samples,
                    perturbations_per_eval=min(self.samples, query.rows),
                )
            )
        return spread(values, groups)
