"""TimeSHAP: Shapley values of the steps, features or cells of a series, exact where they are few."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.attribution._groups import Groups, group_elements, set_groups, values_without
from perdure.attribution._prefixes import require_series
from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.core.method import MethodOutput
from perdure.core.query import Query, slice_query
from perdure.core.random import child_seeds, uniform
from perdure.ops.baseline import Baseline, baseline_of, seeds_or_fixed, set_baseline

__all__ = ["TimeSHAP"]

Estimator = Literal["auto", "exact", "sampling"]

EXACT = 10
"""Most players of which "auto" computes the exact values."""
LARGEST = 20
"""Most players of which exact values can be computed in reasonable time."""
TOGETHER = 4096
"""Coalitions whose elements are in memory together."""


@dataclass(frozen=True)
class TimeSHAP:
    r"""Compute Shapley values of groups of a series, such as its steps, with standard errors.

    .. math:: \phi_g = \sum_{C \not\ni g} \frac{|C|! \, (M - |C| - 1)!}{M!} \, (S(C \cup g) - S(C))

    Elements outside a coalition are at the baseline. Up to 10 players the values are exact, from all 2^M coalitions;
    otherwise each of `samples` orders and its reverse add one player after the other, (M - 1) `samples` forward passes.
    Both sum to the change of the target from the baseline. The value of a group is divided evenly among its elements.

    With a `tolerance`, old steps that matter little are one player: the latest cut at which the Shapley value of all
    earlier steps, against all later ones, is at most the tolerance. The test takes 2 (T - 1) forward passes.

    Args:
        groups: Players: "step", "feature", "element", or the number of the player of each element.
        estimator: "exact" for all coalitions; "sampling" for random orders; "auto" for exact values up to 10 players.
        samples: Orders, an even number; half of them are the reverse of the others.
        tolerance: Largest value of the old steps that become one player, in units of the target; None for none.
        baseline: Value of absent elements.

    Raises:
        SettingError: For a value that cannot be used, and for more players than exact values can be computed of.
        UnsupportedError: For inputs that are no series.

    Reference:
        bento2021timeshap

    Notes:
        Kernel regression as published has no standard errors; these orders do: `aux["standard_error"]`, zero where the
        values are exact. `aux["pruned"]` is the number of old steps that are one player.

    Example:
        >>> x = torch.tensor([[[2.0], [3.0]]])
        >>> query = Query(lambda x: x.prod(1), x, lambda outputs: outputs[:, 0])
        >>> TimeSHAP().scores(query).values.tolist()
        [[[3.0], [3.0]]]
    """

    groups: Groups = "step"
    estimator: Estimator = "auto"
    samples: int = 200
    tolerance: float | None = None
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        set_groups(self)
        set_baseline(self)
        check_choice("estimator", self.estimator, get_args(Estimator))
        if self.samples < 4 or self.samples % 2:
            raise SettingError(f"samples is {self.samples}", "give an even number of at least 4")
        if self.tolerance is not None and not self.tolerance >= 0:
            raise SettingError(f"tolerance is {self.tolerance}", "give a number of at least 0, in units of the target")

    def scores(self, query: Query) -> MethodOutput:
        """Compute the values of each sample.

        Args:
            query: Query to explain; its seeds draw the orders.

        Returns:
            The values, with their standard errors and the number of pruned steps.
        """
        require_series(query, "time_shap")
        start, groups = baseline_of(self.baseline, query), group_elements(self.groups, query)
        values, errors = torch.zeros_like(query.x), torch.zeros_like(query.x)
        pruned = torch.zeros(len(query.x), dtype=torch.int64, device=query.x.device)
        for i in range(len(query.x)):
            part = slice_query(query, torch.tensor([i]))
            steps = query.x.shape[1] if part.lengths is None else int(part.lengths[0])
            game = _Game(part, start[i : i + 1], steps)
            pruned[i] = 0 if self.tolerance is None else game.find_cut(self.tolerance)
            players = _merge(groups[:steps], int(pruned[i]))
            size = players.flatten().bincount()
            value, error = self._estimate(game, players)
            values[i, :steps] = (value / size)[players].to(values)
            errors[i, :steps] = (error / size)[players].to(values)
        return MethodOutput(values, {"standard_error": errors, "pruned": pruned})

    def _estimate(self, game: _Game, players: Tensor) -> tuple[Tensor, Tensor]:
        count = int(players.max()) + 1
        if self.estimator == "sampling" or (self.estimator == "auto" and count > EXACT):
            return _sample(game, players, count, self.samples)
        if count > LARGEST:
            raise SettingError(
                f"exact Shapley values of {count} players take 2^{count} = {2**count:.3g} forward passes per sample",
                f"give estimator=sampling, fewer groups (at most {LARGEST}), or a tolerance that prunes old steps",
            )
        return _exact(game, players, count)


class _Game:
    """The target of one sample with elements removed.

    Args:
        query: Query for one sample.
        start: Values of removed elements.
        steps: Valid steps.
    """

    def __init__(self, query: Query, start: Tensor, steps: int) -> None:
        self.query, self.start, self.steps = query, start, steps

    def values(
        self, present: Bool[Tensor, "coalition player"], players: Int[Tensor, "time feature"]
    ) -> Float[Tensor, " coalition"]:
        """Evaluate the target for coalitions of players."""
        return torch.cat([self._values(part, players) for part in present.split(TOGETHER)])

    def _values(self, present: Tensor, players: Tensor) -> Tensor:
        removed = torch.zeros(len(present), *self.query.x.shape[1:], dtype=torch.bool, device=self.query.x.device)
        removed[:, : self.steps] = ~present.to(removed.device)[:, players]
        return values_without(self.query, self.start, removed)[:, 0].double()

    def find_cut(self, tolerance: float) -> int:
        """Return the largest number of old steps whose joint Shapley value is at most the tolerance; 0 for none."""
        if self.steps == 1:
            return 0
        steps = torch.arange(self.steps, device=self.query.x.device)
        old = steps < torch.arange(1, self.steps, device=steps.device)[:, None]
        whole = torch.stack([torch.ones_like(old[0]), torch.zeros_like(old[0])])
        players = steps[:, None].expand(-1, self.query.x.shape[2])
        everything, nothing, *rest = self.values(torch.cat([whole, ~old, old]), players)
        without_old, only_old = torch.stack(rest).chunk(2)
        value = ((everything - without_old) + (only_old - nothing)) / 2
        small = (value.abs() <= tolerance).nonzero()
        return int(small.max()) + 1 if len(small) else 0


def _merge(groups: Int[Tensor, "time feature"], old: int) -> Int[Tensor, "time feature"]:
    """Make one player of the old steps, and number the players of a sample."""
    merged = groups.clone()
    merged[:old] = -1
    return merged.unique(return_inverse=True)[1]


def _exact(game: _Game, players: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Weigh the additions of each player to all coalitions."""
    coalition = torch.arange(2**count)
    present = (coalition[:, None] >> torch.arange(count)) & 1 == 1
    values = game.values(present, players)
    weights = torch.tensor([1 / (count * comb(count - 1, k)) for k in range(count)], dtype=torch.float64)
    sizes, result = present.sum(1), torch.zeros(count, dtype=torch.float64)
    for player in range(count):
        without = coalition[~present[:, player]]
        added = values[without | (1 << player)] - values[without]
        result[player] = (weights[sizes[without]].to(added) * added).sum()
    return result.to(values.device), torch.zeros_like(result).to(values.device)


def _sample(game: _Game, players: Tensor, count: int, samples: int) -> tuple[Tensor, Tensor]:
    """Average what each player adds in random orders and their reverses."""
    seeds = child_seeds(seeds_or_fixed(game.query.seeds, 1), "orders")
    rank = uniform(seeds, (samples // 2, count), torch.zeros((), dtype=torch.float64))[0].argsort(1).argsort(1)
    rank = torch.stack([rank, count - 1 - rank])
    sizes = torch.arange(1, count)[:, None]
    inner = game.values((rank[:, :, None] < sizes).flatten(0, 2), players).reshape(2, samples // 2, count - 1)
    ends = game.values(torch.tensor([[False] * count, [True] * count]), players).expand(2, samples // 2, 2)
    added = torch.cat([ends[..., :1], inner, ends[..., 1:]], 2).diff(dim=2)
    pairs = added.gather(2, rank.to(added.device)).mean(0)
    return pairs.mean(0), pairs.std(0) / (samples // 2) ** 0.5
