"""What methods share that switch groups of sites off: the groups, the baseline, and one sample at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from jaxtyping import Float, Int
from torch import Tensor

from perdure.attribution._valid_steps import one_by_one
from perdure.core.check import check_choice, check_counts
from perdure.core.query import Query
from perdure.ops.baseline import Baseline, baseline_of
from perdure.ops.groups import groups_of, spread
from perdure.ops.position import Granularity

__all__ = ["Switched"]


@dataclass(frozen=True, kw_only=True)
class Switched:
    """Settings of groups that are switched off together; a method says what each group is worth.

    Args:
        window: positions in a group along each axis; None for steps, features of a table, and an eighth of an image.
        granularity: "position" for groups with all their features or channels, "element" for each by itself.
        baseline: what stands where a group is off.

    Raises:
        SettingError: for a value that cannot be used.
    """

    window: int | None = None
    granularity: Granularity = "position"
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(window=self.window or 1)
        check_choice("granularity", self.granularity, get_args(Granularity))
        check_choice("baseline", self.baseline, get_args(Baseline))

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Explain one sample after the other.

        Args:
            query: the question; its seeds make the draws.

        Returns:
            The worth of each group, shared evenly among its sites.

        Raises:
            SettingError: when there are too few samples for the groups.
        """
        return one_by_one(query, self._map)

    def worth(
        self, query: Query, start: Float[Tensor, "1 *site"], groups: Int[Tensor, "1 *site"]
    ) -> Float[Tensor, "1 *site"]:
        """Tell what each group is worth.

        Args:
            query: about one sample.
            start: what stands where a group is off.
            groups: the number of the group of each site.

        Returns:
            At each site the worth of its whole group.
        """
        raise NotImplementedError

    def _map(self, query: Query) -> Tensor:
        groups = groups_of(query.x, self.window, self.granularity)
        return spread(self.worth(query, baseline_of(self.baseline, query.x, query.mask), groups), groups)
