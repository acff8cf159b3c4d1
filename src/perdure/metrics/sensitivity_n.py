"""Sensitivity-n: whether the attribution of a set of sites predicts how much they matter together."""

from __future__ import annotations

from collections.abc import Sequence
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
from perdure.metrics._perturbation import RankedSites, check_share, is_fixed, rank_sites, slice_sites
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
            (batch, channel, row, column), and otherwise the unit of the map of each sample: the step where it is
            constant over the features of each step, else the element.
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
    perturbs: ClassVar[bool] = True
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
        return self.measure_maps(attribution, [attribution.values])[0]

    def measure_maps(self, attribution: Attribution, maps: Sequence[Tensor]) -> list[Measurement]:
        """Measure several maps by the same sets, which do not depend on the map.

        Args:
            attribution: Query of all maps.
            maps: Maps of its inputs.

        Returns:
            What `measure` returns for each map, with the passes of one where the maps have the same units.
        """
        query, layout = attribution.query, layout_of(attribution.query)
        places = [rank_sites(replace(attribution, values=values), self.granularity) for values in maps]
        blank = baseline_of(self.baseline, query).contiguous(memory_format=layout)
        query = replace(query, x=query.x.contiguous(memory_format=layout))
        at_once = max(1, NUMBERS // (self.masks * places[0].worth.shape[1]))
        results = []
        for item in torch.split(torch.arange(len(query.x), device=query.x.device), at_once):
            mine = [slice_sites(part, item) for part in places]
            results.append(self._curves(slice_query(query, item.to(query.seeds.device)), mine, blank[item]))
        curves, spans = (torch.cat(parts, 1) for parts in zip(*results, strict=True))
        dtype, valid = attribution.values.dtype, places[0].valid
        return [
            Measurement(curve.mean(1).to(dtype), curve.to(dtype), fixed=is_fixed(span[:, 0], span[:, 1], valid))
            for curve, span in zip(curves, spans, strict=True)
        ]

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

    def _curves(
        self, query: Query, maps: list[RankedSites], blank: Tensor
    ) -> tuple[Float[Tensor, "map batch point"], Float[Tensor, "map batch 2"]]:
        """Correlate at each size for some of the samples; give also the range of the target."""
        units = torch.stack([places.unit for places in maps])
        results: list[Tensor] = []
        for unit in units.unique().tolist():
            rows = (units == unit).any(0).nonzero()[:, 0]
            chosen = [slice_sites(places, rows) for places in maps]
            parts = self._curves_of_unit(slice_query(query, rows.to(query.seeds.device)), chosen, blank[rows], unit)
            results = results or [part.new_zeros(*units.shape, part.shape[2]) for part in parts]
            for whole, part in zip(results, parts, strict=True):
                mine = (units[:, rows] == unit)[..., None]
                whole[:, rows] = torch.where(mine, part, whole[:, rows])
        return results[0], results[1]

    def _curves_of_unit(
        self, query: Query, maps: list[RankedSites], blank: Tensor, unit: int
    ) -> tuple[Float[Tensor, "map batch point"], Float[Tensor, "map batch 2"]]:
        """Correlate where sets consist of whole units of this many places."""
        given = None if self.compat == "published" else query.seeds
        seeds = seeds_or_fixed(given, len(query.x))
        sizes = unit * self._sizes(maps[0].valid.sum(1) // unit, query.x.ndim == 4)
        worth = [scale_to_unit(places.worth, places.valid) for places in maps]
        sums, values = [], []
        for number in range(sizes.shape[1]):
            keys = _keys(child_seeds(seeds, ("sensitivity_n", number)), self.masks, maps[0], unit)
            chosen = mark_lowest(keys, sizes[:, number])
            sums.append(torch.stack([torch.einsum("mbs,bs->bm", chosen.to(item), item) for item in worth]))
            values.append(_values(query, blank, maps[0].spread(chosen)).T)
        drops = torch.cat(values)
        ends = drops.reshape(sizes.shape[1], len(query.x), -1).double()
        curves = [pearson(part, -drops).reshape(sizes.shape[1], -1).T for part in torch.cat(sums, 1)]
        span = torch.stack([ends.amin((0, 2)), ends.amax((0, 2))], 1)
        return torch.stack(curves), span.expand(len(maps), -1, -1)


def _keys(seeds: Tensor, masks: int, places: RankedSites, unit: int) -> Float[Tensor, "mask batch place"]:
    """Draw a number for each set and unit of places; more padding leaves those before it as they are."""
    draws = uniform(seeds, (places.worth.shape[1] // unit, masks), places.worth).permute(2, 0, 1)
    draws = draws.repeat_interleave(unit, -1)
    return draws.masked_fill(~places.valid, torch.inf)


def _values(query: Query, blank: Tensor, chosen: Tensor) -> Float[Tensor, "mask batch"]:
    """Evaluate the target with the chosen sites at the baseline."""
    chunks = torch.split(chosen, copies_at_once(query))
    return torch.cat([query.value(torch.where(item, blank, query.x)) for item in chunks])
