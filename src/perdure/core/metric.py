"""The interface of metrics: what they measure, and the score between null and ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.short_repr import ShortRepr

__all__ = ["Measurement", "Metric", "NeedsMethod", "Score"]


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(ShortRepr):
    """What a metric measures, before it is placed between null and ceiling.

    Args:
        values: one number per sample.
        curve: Curve behind the numbers, one row per sample; None when there is none.
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
class Score(ShortRepr):
    """A measurement between its null and its ceiling.

    Args:
        metric: registry name of the metric, with the settings that differ from their defaults.
        values: one number per sample.
        null: Score of random maps on the same samples, mean over draws.
        ceiling: Score of the true map, or the best possible value where no truth is needed; for a curve of
            numbers, which have no best value, the best that the target reached on any of the curves.
        curve: Curve behind the numbers, one row per sample; None when there is none.
        aux: further numbers per sample, by name.
    """

    metric: str
    values: Float[Tensor, " batch"]
    null: Float[Tensor, " batch"]
    ceiling: Float[Tensor, " batch"]
    curve: Float[Tensor, "batch point"] | None = None
    aux: Mapping[str, Tensor] = field(default_factory=dict)


class Metric(Protocol):
    """A frozen dataclass of settings with a `measure` method.

    With `needs_truth`, the attribution must have a truth, whose score is the ceiling; otherwise `best` is the ceiling.
    `higher_is_better` is the direction of better scores.
    """

    needs_truth: ClassVar[bool]
    higher_is_better: ClassVar[bool]
    best: ClassVar[float]

    def measure(self, attribution: Attribution) -> Measurement:
        """Measure each sample of an attribution.

        Args:
            attribution: Map, query and, where it is known, truth; none of them is written to.

        Returns:
            One number per sample, with a curve where the metric has one.
        """
        ...


@runtime_checkable
class NeedsMethod(Protocol):
    """A metric that computes further maps, so that the attribution must contain its method.

    Random maps have no method; for an attribution without one, `measure` returns the score of such a map.
    """

    needs_method: ClassVar[bool]
