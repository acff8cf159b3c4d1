"""F-Fidelity: random parts of the explained elements against random parts of the others, at most a given fraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice, check_counts
from perdure.core.metric import Measurement
from perdure.core.query import Query
from perdure.core.random import child_seeds, uniform
from perdure.metrics._along import copies_at_once
from perdure.metrics._perturbation import (
    Followed,
    RankedSites,
    check_share,
    follow_target,
    in_unit,
    is_fixed,
    rank_sites,
)
from perdure.ops.baseline import Baseline, baseline_of, seeds_or_fixed, set_baseline
from perdure.ops.position import Granularity
from perdure.ops.rank import descending_rank, mark_lowest

__all__ = ["FFidelity"]

DOUBLE = torch.zeros((), dtype=torch.float64)


@dataclass(frozen=True)
class FFidelity:
    r"""Drop of the probability without random parts of the explained elements, less that without parts of the others.

    .. math:: F = \mathbb{E}\, S(x \text{ without } R^-) - \mathbb{E}\, S(x \text{ without } R^+)

    :math:`R^+` is a random part of the elements of highest attribution and :math:`R^-` one of the others, each of at
    most the fraction `removed` of all elements. So inputs are changed no more than the model has learnt to read, if it
    is fine-tuned with random masks of up to that fraction, independent of any explanation: pass the fine-tuned model.
    High is good. A random map scores about 0. `aux` holds both drops, `plus` (high is good) and `minus` (low is good).

    Args:
        explained: Fraction of the elements that counts as the explanation, those of highest attribution.
        removed: Most that is removed, as a fraction of all elements; the fraction of the masks of the fine-tuning.
        draws: Random parts of each kind, from the seed of each sample; without seeds all samples have seed 0.
        baseline: Value that an element is set to; that of the fine-tuning.
        granularity: "position" perturbs all channels of a pixel, features of a step or numbers of an embedding
            together, by their summed attribution; "element" each number by itself; None is "position" for images
            (batch, channel, row, column), and otherwise the unit of the map of each sample: the step where it is
            constant over the features of each step, else the element.
        score: "probability" follows the probability of the explained class, also where its logit was explained; the
            output of a model that returns numbers, and a function as target, are followed as they are, as is every
            target by "target". The best value is then the range that was reached.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        zheng2025ffidelity

    Example:
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[3.0, 3.0, 1.0, 1.0]])
        >>> query = Query(lambda x: x.sum(1, keepdim=True), x, lambda outputs: outputs[:, 0])
        >>> measured = FFidelity(explained=0.5, removed=0.25).measure(Attribution(x, source=query))
        >>> measured.values.item(), measured.aux["plus"].item(), measured.aux["minus"].item()
        (2.0, 3.0, 1.0)
    """

    needs_truth: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = True
    perturbs: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    explained: float = 0.2
    removed: float = 0.1
    draws: int = 20
    baseline: Baseline = "zero"
    granularity: Granularity | None = None
    score: Followed = "probability"

    def __post_init__(self) -> None:
        check_counts(draws=self.draws)
        check_share(self.explained, "explained")
        check_share(self.removed, "removed")
        set_baseline(self)
        check_choice("granularity", self.granularity, (*get_args(Granularity), None))
        check_choice("score", self.score, get_args(Followed))

    def measure(self, attribution: Attribution) -> Measurement:
        """Remove random parts of the explanation and of the rest.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The difference of the drops, in [-1, 1] for a probability; both drops.
        """
        places = rank_sites(attribution, self.granularity)
        query = follow_target(attribution.query, self.score)
        unit = descending_rank(places.worth, places.valid) // places.unit[:, None]
        size = (self.explained * places.units.double()).long().clamp_min(1)
        top = unit < size[:, None]
        before = query.value(query.x).double()
        plus, minus = (
            self._remove(query, places, unit, part, name)
            for part, name in ((top, "explained"), (~top & places.valid, "others"))
        )
        every = torch.cat([plus, minus, before[None]])
        low, high = every.amin(0), every.amax(0)
        drops = {"plus": before - plus.mean(0), "minus": before - minus.mean(0)}
        dtype = attribution.values.dtype
        return Measurement(
            (drops["plus"] - drops["minus"]).to(dtype),
            aux={name: drop.to(dtype) for name, drop in drops.items()},
            best=None if in_unit(query) else (high - low).to(dtype),
            fixed=is_fixed(low, high, places.valid),
        )

    def _remove(
        self,
        query: Query,
        places: RankedSites,
        unit: Int[Tensor, "batch place"],
        part: Bool[Tensor, "batch place"],
        name: str,
    ) -> Float[Tensor, "draw batch"]:
        """Evaluate the target without random units of a part; an empty part removes nothing."""
        most = (self.removed * places.units.double()).long().clamp_min(1)
        count = torch.minimum(most, part.sum(1) // places.unit)
        inside = torch.zeros_like(part).scatter(1, unit, part)  # by unit, not by place
        seeds = child_seeds(seeds_or_fixed(query.seeds, len(part)), name)
        blank, values = baseline_of(self.baseline, query), []
        for numbers in torch.arange(self.draws).split(copies_at_once(query)):
            keys = torch.stack(
                [uniform(child_seeds(seeds, number), part.shape[1:], DOUBLE) for number in numbers.tolist()]
            ).to(part.device)
            lowest = (
                mark_lowest(keys.masked_fill(~inside, torch.inf), count.clamp_min(1)) & inside & (count > 0)[:, None]
            )
            chosen = lowest.gather(2, unit.expand(len(keys), -1, -1)) & part
            values.append(query.value(torch.where(places.spread(chosen), blank, query.x)))
        return torch.cat(values).double()
