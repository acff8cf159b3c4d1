"""The interface of metrics: what they measure, and the score between null and ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.short_repr import ShortRepr

__all__ = ["Measurement", "Metric", "NeedsMethod", "Perturbs", "Score", "SharesPasses"]


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
        null: Score of maps without information on the same samples, mean over draws; for metrics that perturb the
            input these have the texture of the map, see `evaluate`.
        ceiling: Score of the true map, or the best possible value where no truth is needed; for a curve of
            numbers, which have no best value, the best that the target reached on any of the curves.
        curve: Curve behind the numbers, one row per sample; None when there is none.
        aux: further numbers per sample, by name; `uniform` is the score of a uniform random map where the null is
            another.
        nulls: Score of each draw of the null.
        p: Probability of a mean over samples at least as good as that of `values`, if the map were one more draw of
            its null; None where the null is no draw of a map that is compared.
    """

    metric: str
    values: Float[Tensor, " batch"]
    null: Float[Tensor, " batch"]
    ceiling: Float[Tensor, " batch"]
    curve: Float[Tensor, "batch point"] | None = None
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    nulls: Float[Tensor, "draw batch"] | None = field(default=None, repr=False)
    p: float | None = None


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


@runtime_checkable
class Perturbs(Protocol):
    """A metric that perturbs the input in the order of the map, so that its null has the texture of the map."""

    perturbs: ClassVar[bool]


@runtime_checkable
class SharesPasses(Protocol):
    """A metric that measures several maps of the same inputs with the passes of one."""

    def measure_maps(self, attribution: Attribution, maps: Sequence[Float[Tensor, "batch *site"]]) -> list[Measurement]:
        """Measure several maps.

        Args:
            attribution: Query and, where it is known, truth of all maps; its own map is not read.
            maps: Maps of the inputs.

        Returns:
            What `measure` returns for each of them.
        """
        ...
