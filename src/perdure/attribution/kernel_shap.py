"""Kernel SHAP: Shapley values by weighted regression."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from perdure.attribution._captum.feature_groups import GroupAblation
from perdure.attribution._captum.forward_module import as_forward_module, import_captum
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.random import seed_libraries

__all__ = ["KernelSHAP"]


@dataclass(frozen=True)
class KernelSHAP(GroupAblation):
    r"""Fit a linear model to the target with some groups of sites switched off, drawn by the Shapley kernel.

    .. math:: P(|z| = k) \propto \frac{M - 1}{k \, (M - k)}

    The weight of a group estimates its Shapley value, and they sum to :math:`S(x) - S(x')`; it is shared evenly among
    the sites of the group. `samples` forward passes per sample, through Captum.

    Args:
        samples: switchings, everything on and everything off included.
        window: positions in a group along each axis; None for steps, features of a table, and an eighth of an image.
        granularity: "position" for groups with all their features or channels, "element" for each by itself.
        baseline: Value where a group is off.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        lundberg2017unified

    Notes:
        Captum fits in single precision, which leaves a relative error of about 1e-4.
    """

    samples: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(samples=self.samples)

    def attribute_groups(self, query: Query, start: Tensor, groups: Tensor) -> Tensor:
        """Fit a linear model to the sample.

        Args:
            query: about one sample; its seeds make the draws.
            start: Value where a group is off.
            groups: the number of the group of each site.

        Returns:
            The Shapley value of each group.

        Raises:
            SettingError: when there are too few samples for the groups.
        """
        count = int(groups.max()) + 1
        if count == 1:  # all of the change belongs to the only group, and Captum's kernel divides by zero
            change = query.value(query.x) - query.value(start)
            return change.reshape(-1, *[1] * (query.x.ndim - 1)).expand_as(query.x)
        if self.samples < count + 2:
            raise SettingError(
                f"{self.samples} samples do not determine the values of {count} groups",
                f"give at least {count + 2}, better twenty times as many, or a larger window",
            )
        with as_forward_module(query) as scalar, seed_libraries(int(query.seeds[0]), query.x.device):
            values: Tensor = (
                import_captum()
                .KernelShap(scalar)
                .attribute(
                    query.x,
                    start,
                    feature_mask=groups,
                    n_samples=self.samples,
                    perturbations_per_eval=min(self.samples, query.rows),
                )
            )
        return values
