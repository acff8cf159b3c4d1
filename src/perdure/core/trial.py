"""The trial and the score: what a judge may look at, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.brief import Brief
from perdure.core.protocols import Method
from perdure.core.query import Query

__all__ = ["Measurement", "Score", "Trial"]


@dataclass(frozen=True, eq=False, repr=False)
class Trial(Brief):
    """One explanation before its judge.

    Args:
        query: the question that was asked; it holds model, inputs, target and mask.
        attribution: the values to be judged, shaped like the inputs.
        truth: true at the sites known to matter; None when unknown.
        method: the method, for metrics that must explain again; None when only the map is known.
    """

    query: Query
    attribution: Float[Tensor, "batch *site"]
    truth: Bool[Tensor, "batch *site"] | None = None
    method: Method | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Brief):
    """What a metric measures, before it is placed between null and ceiling.

    Args:
        values: one number per sample.
        curve: what the numbers summarise, one row per sample; None when there is none.
        aux: further numbers per sample, by name.
        best: best value that these samples allow, where it is not that of the metric: a bound on a curve of numbers.
        fixed: true for samples whose value does not depend on the map, as the target never changed.
    """

    values: Float[Tensor, " batch"]
    curve: Float[Tensor, "batch point"] | None = None
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    best: Float[Tensor, " batch"] | None = None
    fixed: Bool[Tensor, " batch"] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Score(Brief):
    """A measurement between its null and its ceiling.

    Args:
        metric: registry name of the metric, with the settings that differ from their defaults.
        values: one number per sample.
        null: what random maps score on the same samples, mean over draws.
        ceiling: what the true map scores, or the best possible value where no truth is needed; for a curve of
            numbers, which have no best value, the best that the target reached on any of the curves.
        curve: what the numbers summarise, one row per sample; None when there is none.
        aux: further numbers per sample, by name.
    """

    metric: str
    values: Float[Tensor, " batch"]
    null: Float[Tensor, " batch"]
    ceiling: Float[Tensor, " batch"]
    curve: Float[Tensor, "batch point"] | None = None
    aux: Mapping[str, Tensor] = field(default_factory=dict)
