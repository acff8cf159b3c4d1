"""Base class of methods that replace groups of elements by a baseline, one sample at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from jaxtyping import Float, Int
from torch import Tensor

from perdure.attribution._valid_steps import explain_each
from perdure.core.check import check_choice, check_counts
from perdure.core.query import Query
from perdure.ops.baseline import Baseline, baseline_of, nan_errors, set_baseline
from perdure.ops.position import Granularity
from perdure.ops.segment import divide_evenly, number_groups

__all__ = ["GroupAblation"]


@dataclass(frozen=True, kw_only=True)
class GroupAblation:
    """Groups of elements that are replaced together; subclasses compute the attribution of each group.

    Args:
        window: Positions in a group along each axis; None for single steps, single features of a table, or an eighth
            of an image.
        granularity: "position" to group all features or channels of a position, "element" to separate them.
        baseline: Values that replace a group.

    Raises:
        SettingError: for a value that cannot be used.
    """

    window: int | None = None
    granularity: Granularity = "position"
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(window=self.window or 1)
        check_choice("granularity", self.granularity, get_args(Granularity))
        set_baseline(self)

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Explain each sample separately.

        Args:
            query: Query to explain; its seeds determine the random draws.

        Returns:
            Attribution of each group, divided equally among its elements.

        Raises:
            SettingError: when there are too few samples for the number of groups.
        """
        return explain_each(query, self._map)

    def attribute_groups(
        self, query: Query, start: Float[Tensor, "1 *site"], groups: Int[Tensor, "1 *site"]
    ) -> Float[Tensor, "1 *site"]:
        """Compute the attribution of each group.

        Args:
            query: Query for a single sample.
            start: Values that replace a group.
            groups: Group index of each element.

        Returns:
            Attribution of its whole group at each element.
        """
        raise NotImplementedError

    def _map(self, query: Query) -> Tensor:
        groups = number_groups(query.x, self.window, self.granularity)
        with nan_errors(self, query):
            values = self.attribute_groups(query, baseline_of(self.baseline, query), groups)
        return divide_evenly(values, groups)
