"""Degradation: the gap between losing the least and losing the most relevant tiles first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice, check_counts
from perdure.core.metric import Measurement
from perdure.metrics._along import values_along
from perdure.metrics._perturbation import Followed, follow_target, in_unit, is_fixed, rank_sites
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.curve import resample, step_counts
from perdure.ops.perturb import tile_index
from perdure.ops.rank import descending_rank

__all__ = ["Degradation"]

IMAGE_WINDOW = 8
"""The smaller of the two tile sizes in the paper, in pixels."""


@dataclass(frozen=True)
class Degradation:
    r"""Area between two deletion curves of tiles: least relevant first (LeRF) above most relevant first (MoRF).

    .. math:: g = \int_0^1 S_{LeRF}(u) - S_{MoRF}(u) \, du

    A tile is a window of positions with all channels or features; its relevance is the sum of its signed map. Tied
    tiles go in the order of their index in both curves, so a constant map whose tiles are whole scores 0. A map of
    the opposite sign scores the opposite. Positive is good; 1 would be a prediction that the first tile takes away
    in one order and the last tile in the other. The curve is the gap; `aux` holds both areas, `morf` and `lerf`.

    Args:
        window: positions along each side of a tile; None for 8 in images and 1 elsewhere. The last tile along an
            axis may be cut off.
        points: steps of the curve; there are never more than tiles.
        baseline: Value that a tile is set to.
        score: "probability" follows the probability of the explained class, also where its logit was explained; the
            output of a model that returns numbers, and a function as target, are followed as they are, as is every
            target by "target". The best value is then the best that the target reaches on any curve.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        schulz2020restricting

    Notes:
        The paper divides both curves by the mean drop of the data set, a constant that leaves the order of methods
        as it is; here the gap stays in units of the score.

    Example:
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[[3.0], [1.0]]])
        >>> query = Query(lambda x: x.sum((1, 2)), x, lambda logits: logits[:, 0])
        >>> Degradation().measure(Attribution(x, source=query)).values.item()  # areas 2.5 and 1.5
        1.0
    """

    needs_truth: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = True
    perturbs: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    window: int | None = None
    points: int = 100
    baseline: Baseline = "zero"
    score: Followed = "probability"

    def __post_init__(self) -> None:
        check_counts(points=self.points, window=1 if self.window is None else self.window)
        set_baseline(self)
        check_choice("score", self.score, get_args(Followed))

    def measure(self, attribution: Attribution) -> Measurement:
        """Take tiles away in both orders.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The gap between the areas, in [-1, 1] for a probability; the gap along the way; both areas.
        """
        x = attribution.query.x
        places = rank_sites(attribution, "position")
        window = self.window or (IMAGE_WINDOW if x.ndim == 4 else 1)
        tile = tile_index(tuple(size for size in places.shape if size > 1) or (1,), window).flatten().to(x.device)
        worth, valid = _on_tiles(places.worth, places.valid, tile)
        counts, _ = step_counts(valid.sum(1), None, self.points)
        ends = (x, baseline_of(self.baseline, attribution.query))
        query, place = follow_target(attribution.query, self.score), counts / valid.sum(1, keepdim=True).double()
        morf, lerf = (
            values_along(query, ends, places.spread(descending_rank(order, valid)[:, tile]), counts)
            for order in (worth, -worth)
        )
        dtype = attribution.values.dtype
        areas = {name: torch.trapezoid(curve, place, dim=1) for name, curve in (("morf", morf), ("lerf", lerf))}
        both = torch.cat([lerf, morf], 1)
        low, high = both.amin(1), both.amax(1)
        return Measurement(
            (areas["lerf"] - areas["morf"]).to(dtype),
            resample(place, lerf - morf, self.points).to(dtype),
            {name: area.to(dtype) for name, area in areas.items()},
            best=None if in_unit(query) else (high - low).to(dtype),
            fixed=is_fixed(low, high, valid),
        )


def _on_tiles(
    worth: Float[Tensor, "batch position"], valid: Bool[Tensor, "batch position"], tile: Int[Tensor, " position"]
) -> tuple[Float[Tensor, "batch tile"], Bool[Tensor, "batch tile"]]:
    """Sum the map over the valid positions of each tile; a tile is valid where one of its positions is."""
    empty = worth.new_zeros(len(worth), int(tile.max()) + 1)
    sums = empty.index_add(1, tile, worth.masked_fill(~valid, 0.0))
    return sums, empty.index_add(1, tile, valid.to(worth)) > 0
