"""Feature ablation: what is lost when a group of elements is removed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._groups import Groups, group_elements, set_groups, values_without
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.sequence import site_mask

__all__ = ["FeatureAblation"]

MOST_GROUPS = 20_000
"""Most groups, each of which takes a forward pass of every sample."""


@dataclass(frozen=True)
class FeatureAblation:
    r"""Remove one group of elements after the other and record how much the target drops.

    .. math:: a_g = S(x) - S(x \text{ with group } g \text{ at the baseline})

    Every element has the drop of its whole group. One forward pass per group and one for x; for a causal recurrent
    model a group costs only the steps from its first one on.

    Args:
        groups: "element" for each by itself; "step" for all features of a step; "feature" for a feature at all steps
            or a channel at all positions. Or the number of the group of each element, as a tensor that broadcasts to a
            sample, such as one number per feature, or the path of a file with it.
        baseline: Value of a removed group.

    Raises:
        SettingError: For a value that cannot be used, and for more groups than could be removed in reasonable time.

    Reference:
        kokhlikyan2020captum

    Example:
        >>> x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
        >>> query = Query(lambda x: x.sum(1), x, lambda outputs: outputs.sum(1))
        >>> FeatureAblation("step").scores(query).tolist(), FeatureAblation([0, 1]).scores(query).tolist()
        ([[[3.0, 3.0], [7.0, 7.0]]], [[[4.0, 6.0], [4.0, 6.0]]])
    """

    groups: Groups = "element"
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        set_groups(self)
        set_baseline(self)

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Remove all groups.

        Args:
            query: Query to explain.

        Returns:
            The drop of the group of each element.
        """
        groups = group_elements(self.groups, query)
        longest = site_mask(query.mask, query.x).any(0).expand(groups.shape)
        present, index = groups.where(longest, -1).unique(return_inverse=True)
        if len(present) > MOST_GROUPS:
            raise SettingError(
                f"{len(present)} groups take as many forward passes of each sample",
                f"give groups with more elements, at most {MOST_GROUPS}, such as groups=step or a tensor of numbers",
            )
        removed = torch.arange(len(present), device=index.device).reshape(-1, *[1] * index.ndim) == index
        values = values_without(query, baseline_of(self.baseline, query), removed)
        drops: Tensor = (query.value(query.x) - values).T
        return drops[:, index]
