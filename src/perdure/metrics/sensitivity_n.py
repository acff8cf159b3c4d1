"""Sensitivity-n: whether the attribution of a set of sites predicts how much they matter together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice, check_counts
from perdure.core.metric import Measurement
from perdure.core.query import Query, slice_query
from perdure.core.random import child_seeds, uniform
from perdure.metrics._along import NUMBERS, copies_at_once, layout_of
from perdure.metrics._perturbation import RankedSites, check_share, is_fixed, rank_sites
from perdure.ops.baseline import Baseline, baseline_of, seeds_or_fixed, set_baseline
from perdure.ops.correlation import pearson
from perdure.ops.curve import log_counts
from perdure.ops.position import Granularity
from perdure.ops.rank import mark_lowest
from perdure.ops.scale import scale_to_unit

__all__ = ["SensitivityN"]

PUBLISHED_TOP, PUBLISHED_POINTS = 4.5, 45
"""The published sizes for images: 45 points from 1 to 10 to the power of 4.5."""


@dataclass(frozen=True)
class SensitivityN:
    r"""Correlation between the summed attribution of random sets of n sites and what the target loses with them.

    .. math:: r_n = \operatorname{corr}_{|M| = n} \Big( \sum_{i \in M} a_i, \; S(x) - S(x \text{ with } M
        \text{ at the baseline}) \Big)

    The value is the mean over log-spaced n, the curve holds :math:`r_n`. The target is that of the query, a logit by
    default. Scale and offset of a map do not matter. The map `weight * x` of a linear model scores 1 from the zero
    baseline, its negative -1, a random map about 0. A constant map scores 0, and so does a sample whose target does
    not change by more than rounding. All sites at once carry no information about a map, so n
    stays below them; a sample of a single site scores 0. Padding is never drawn.

    Args:
        masks: random sets for each n, drawn anew for each n and each sample from its own stream: from its seed in
            the query or, where the query has none, from the same fixed seed 0 for all samples.
        points: sizes of sets, log-spaced from 1 to `share` of the sites and rounded; they repeat in small inputs.
        granularity: "position" draws all channels of a pixel, features of a step or numbers of an embedding
            together, with their summed attribution; "element" each number by itself; None is "position" for images
            (batch, channel, row, column) and "element" otherwise.
        baseline: Value that the sites of a set are set to.
        share: the largest n as a fraction of the sites.
        compat: "published" for the published code of input bottlenecks: the same sets for all samples; for images the
            whole numbers of 45 log-spaced points up to 31622, otherwise tenths of the sites, the mean over these n.
            The n of all sites is left out, where that code gives NaN; `points` and `share` have no effect.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        ancona2018better

    Example:
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[3.0, 1.0, -2.0, 0.5]])
        >>> query = Query(lambda x: x.sum(1), x, lambda logits: logits[:, 0])
        >>> round(SensitivityN().measure(Attribution(x, source=query)).values.item(), 6)
        1.0
    """

    needs_truth: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    masks: int = 100
    points: int = 10
    granularity: Granularity | None = None
    baseline: Baseline = "zero"
    share: float = 0.8
    compat: Literal["exact", "published"] = "exact"

    def __post_init__(self) -> None:
        check_counts(masks=self.masks, points=self.points)
        check_choice("granularity", self.granularity, (*get_args(Granularity), None))
        set_baseline(self)
        check_choice("compat", self.compat, ("exact", "published"))
        check_share(self.share)

    def measure(self, attribution: Attribution) -> Measurement:
        """Draw sets of sites and take them away.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The mean correlation, in [-1, 1], and the correlation at each n.
        """
        query, places, layout = (
            attribution.query,
            rank_sites(attribution, self.granularity),
            layout_of(attribution.query),
        )
        blank = baseline_of(self.baseline, query).contiguous(memory_format=layout)
        query = replace(query, x=query.x.contiguous(memory_format=layout))
        sizes = self._sizes(places.valid.sum(1), query.x.ndim == 4)
        at_once = max(1, NUMBERS // (self.masks * places.worth.shape[1]))
        curves, ranges = [], []
        for item in torch.split(torch.arange(len(query.x), device=query.x.device), at_once):
            mine = RankedSites(places.worth[item], places.valid[item], places.shape)
            result = self._curve(slice_query(query, item.to(query.seeds.device)), mine, blank[item], sizes[item])
            curves.append(result[0])
            ranges.append(result[1])
        curve, (low, high) = torch.cat(curves), torch.cat(ranges, 1)
        dtype = attribution.values.dtype
        return Measurement(curve.mean(1).to(dtype), curve.to(dtype), fixed=is_fixed(low, high, places.valid))

    def _sizes(self, number: Int[Tensor, " batch"], images: bool) -> Int[Tensor, "batch point"]:
        """Choose the sizes of the sets, below the number of sites."""
        if self.compat == "exact":
            most = torch.minimum((self.share * number.double()).long(), number - 1)
            return log_counts(most.clamp_min(1), self.points)
        if images:
            sizes = torch.logspace(0, PUBLISHED_TOP, PUBLISHED_POINTS, dtype=torch.float64).long()
            below: Tensor = torch.unique(sizes[sizes < max(int(number[0]), 2)])
            return below.to(number).expand(len(number), -1)
        tenths = torch.arange(1, 10, device=number.device)
        return (tenths * number[:, None]).div(10, rounding_mode="floor").clamp_min(1)

    def _curve(
        self, query: Query, places: RankedSites, blank: Tensor, sizes: Int[Tensor, "batch point"]
    ) -> tuple[Float[Tensor, "batch point"], Float[Tensor, "2 batch"]]:
        """Correlate at each size for some of the samples; give also the range of the target."""
        given = None if self.compat == "published" else query.seeds
        seeds = seeds_or_fixed(given, len(query.x))
        worth = scale_to_unit(places.worth, places.valid)
        sums, values = [], []
        for number in range(sizes.shape[1]):
            keys = _keys(child_seeds(seeds, ("sensitivity_n", number)), self.masks, places)
            chosen = mark_lowest(keys, sizes[:, number])
            sums.append(torch.einsum("mbs,bs->bm", chosen.to(worth), worth))
            values.append(_values(query, blank, places.spread(chosen)).T)
        drops = torch.cat(values)
        ends = drops.reshape(sizes.shape[1], len(query.x), -1).double()
        curve = pearson(torch.cat(sums), -drops).reshape(sizes.shape[1], -1).T
        return curve, torch.stack([ends.amin((0, 2)), ends.amax((0, 2))])


def _keys(seeds: Tensor, masks: int, places: RankedSites) -> Float[Tensor, "mask batch place"]:
    """Draw a number for each set and place; more padding leaves those before it as they are."""
    draws = uniform(seeds, (places.worth.shape[1], masks), places.worth).permute(2, 0, 1)
    return draws.masked_fill(~places.valid, torch.inf)


def _values(query: Query, blank: Tensor, chosen: Tensor) -> Float[Tensor, "mask batch"]:
    """Evaluate the target with the chosen sites at the baseline."""
    chunks = torch.split(chosen, copies_at_once(query))
    return torch.cat([query.value(torch.where(item, blank, query.x)) for item in chunks])
