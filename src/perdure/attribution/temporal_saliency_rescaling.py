"""Temporal saliency rescaling: relevance in time and over features, from how a map changes without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.attribution._prefixes import require_series
from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.core.method import Method, NeedsFit, as_output
from perdure.core.precision import widen
from perdure.core.query import Query, slice_query
from perdure.core.registry import METHODS
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.sequence import site_mask

__all__ = ["TemporalSaliencyRescaling"]

Variant = Literal["code", "paper"]

FEATURES_ELSEWHERE = 0.1
"""Relevance of the features of steps up to the threshold."""
ROUNDING = 64
"""Multiples of the machine precision, times the sum of a map, below which differences are rounding."""


@dataclass(frozen=True)
class TemporalSaliencyRescaling:
    r"""Multiply the relevance of each step by that of its features, both measured on the map of another method.

    .. math:: D_t = \sum_{t',d'} |A(x) - A(x \text{ without step } t)|, \quad
        F_{t,d} = \sum_{t',d'} |A(x) - A(x \text{ without cell } (t, d))|, \quad R_{t,d} = D_t F_{t,d}

    F is computed for steps whose D is above a quantile, and is 0.1 at all others. The variant "code" scales D over the
    steps and F over its cells to [0, 1]; "paper" removes each feature at all steps for F and scales nothing. All maps
    of perturbed series are computed in batches: 1 + T + 0.45 T D maps of the base method for each sample, or 1 + T + D
    in the variant "paper".

    Args:
        base: Name of the method whose map is rescaled, also with settings: "integrated_gradients:steps=10". Within a
            text these are in quotes: base='integrated_gradients:steps=10'.
        variant: "code" for the published code, "paper" for the algorithm in the paper.
        quantile: Quantile of D above which the features of a step are separated.
        baseline: Value of removed steps and cells.

    Raises:
        SettingError: For a value that cannot be used.
        UnsupportedError: For inputs that are no series.

    Reference:
        ismail2020benchmarking

    Notes:
        Padded steps are neither removed nor scaled. The published code replaces by the first element of a sample.

    Example:
        >>> model = lambda x: (x**2).sum((1, 2), keepdim=True)[:, 0]
        >>> query = Query(model, torch.tensor([[[1.0], [2.0], [3.0]]]), lambda outputs: outputs[:, 0])
        >>> TemporalSaliencyRescaling().scores(query).round(decimals=4).flatten().tolist()
        [0.0, 0.05, 1.0]
    """

    base: str = "gradient"
    variant: Variant = "code"
    quantile: float = 0.55
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, get_args(Variant))
        set_baseline(self)
        if not 0 <= self.quantile <= 1:
            raise SettingError(f"quantile is {self.quantile}", "give a fraction from 0 to 1")
        if isinstance(METHODS.make(self.base), NeedsFit):
            raise SettingError(f"base is '{self.base}', which has to be fitted", "give a method that needs no fit")

    def scores(self, query: Query) -> Float[Tensor, "batch time feature"]:
        """Compute the map of the base method with and without each step and cell.

        Args:
            query: Query to explain.

        Returns:
            Relevance in time times relevance of the feature.
        """
        require_series(query, "temporal_saliency_rescaling")
        changes = _Changes(query, METHODS.make(self.base), baseline_of(self.baseline, query))
        valid = site_mask(query.mask, query.x)[..., 0].expand(query.x.shape[:2])
        steps = torch.full(valid.shape, torch.nan, dtype=torch.float64, device=query.x.device)
        sample, step = valid.nonzero(as_tuple=True)
        steps[sample, step] = changes.remove(sample, step, None)
        above = steps > steps.nanquantile(self.quantile, dim=1, keepdim=True)
        if self.variant == "paper":
            features = self._features_everywhere(changes)[:, None].where(above[..., None], FEATURES_ELSEWHERE)
            return steps.nan_to_num()[..., None] * features
        features = _scale(_features_of_cells(changes, above), changes.rounding)
        features = features.where(above[..., None], FEATURES_ELSEWHERE)
        return _scale(steps, changes.rounding).nan_to_num()[..., None] * features

    @staticmethod
    def _features_everywhere(changes: _Changes) -> Float[Tensor, "batch feature"]:
        batch, _, width = changes.query.x.shape
        sample = torch.arange(batch).repeat_interleave(width)
        return changes.remove(sample, None, torch.arange(width).repeat(batch)).reshape(batch, width)


def _features_of_cells(changes: _Changes, above: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
    x = changes.query.x
    sample, step, feature = above[..., None].expand(x.shape).nonzero(as_tuple=True)
    result = torch.full(x.shape, torch.nan, dtype=torch.float64, device=x.device)
    result[sample, step, feature] = changes.remove(sample, step, feature)
    return result


class _Changes:
    """Changes of the map of a method when elements are removed.

    Args:
        query: Query to explain.
        method: Method of the map.
        start: Values of removed elements.
    """

    def __init__(self, query: Query, method: Method, start: Tensor) -> None:
        self.query, self.method, self.start = query, method, start
        self.original = self._map(query)
        eps = torch.finfo(query.x.dtype).eps
        self.rounding = ROUNDING * eps * self.original.abs().flatten(1).sum(1)
        """Changes of each sample up to here are rounding."""

    def remove(
        self, sample: Int[Tensor, " row"], step: Int[Tensor, " row"] | None, feature: Int[Tensor, " row"] | None
    ) -> Float[Tensor, " row"]:
        """Sum the absolute change of the map, for rows of a sample, a step and a feature; None for all."""
        if not len(sample):
            return torch.zeros(0, dtype=torch.float64, device=sample.device)
        rows = torch.arange(len(sample)).split(self.query.rows)
        return torch.cat([self._remove(sample[row], _at(step, row), _at(feature, row)) for row in rows])

    def _remove(self, sample: Tensor, step: Tensor | None, feature: Tensor | None) -> Tensor:
        places = torch.arange(self.query.x.shape[1], device=sample.device), torch.arange(self.query.x.shape[2])
        removed = torch.ones(len(sample), 1, 1, dtype=torch.bool, device=sample.device)
        if step is not None:
            removed = removed & (places[0] == step[:, None])[..., None]
        if feature is not None:
            removed = removed & (places[1].to(sample.device) == feature[:, None])[:, None]
        part = slice_query(self.query, sample)
        points = torch.where(removed.to(part.x.device), self.start[sample], part.x)
        changed = self._map(replace(part, x=points))
        return (changed - self.original[sample]).abs().flatten(1).sum(1)

    def _map(self, query: Query) -> Tensor:
        values = as_output(self.method.scores(query)).values.detach()
        return widen(values).double().where(site_mask(query.mask, query.x), 0.0)


def _at(index: Tensor | None, row: Tensor) -> Tensor | None:
    return None if index is None else index[row]


def _scale(values: Float[Tensor, "batch *place"], rounding: Float[Tensor, " batch"]) -> Float[Tensor, "batch *place"]:
    """Scale the values of each sample to [0, 1]; equal ones are 1, or 0 where all are rounding. NaN is no value."""
    flat = values.flatten(1)
    low = flat.nan_to_num(torch.inf).amin(1, keepdim=True)
    high = flat.nan_to_num(-torch.inf).amax(1, keepdim=True)
    equal = ~(high - low > rounding[:, None])
    level = (high > rounding[:, None]).to(flat)
    scaled = torch.where(equal, level, (flat - low) / (high - low).where(~equal, 1.0))
    return scaled.reshape(values.shape)
