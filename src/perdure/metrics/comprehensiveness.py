"""Comprehensiveness: how much the prediction loses without the elements of highest attribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._top_fractions import TopFractions
from perdure.ops.baseline import baseline_of

__all__ = ["Comprehensiveness"]


@dataclass(frozen=True)
class Comprehensiveness(TopFractions):
    r"""Drop of the probability without the top elements of a map, mean over fractions of the elements.

    .. math:: c = \frac1{|Q|} \sum_{q \in Q} S(x) - S(x \text{ without its top } q)

    High is good; the most that can be lost is the whole probability. The curve is the drop at each fraction: one
    fraction alone sees nothing of the order within. Numbers of elements are rounded, at least one; ties are taken in
    the order of their index, and padding is never touched.

    Args:
        fractions: Fractions q of the elements, each between 0 and 1.
        absolute: Whether elements are ranked by the absolute value of the map; otherwise by the signed map, so that
            evidence for the class goes first. Published scores differ in this more than methods do.
        baseline: Value that an element is set to; published ones are "zero" and "mean", that of the series.
        granularity: "position" perturbs all channels of a pixel, features of a step or numbers of an embedding
            together, by their summed attribution; "element" each number by itself; None is "position" for images
            (batch, channel, row, column), and otherwise the unit of the map of each sample: the step where it is
            constant over the features of each step, else the element.
        score: "probability" follows the probability of the explained class, also where its logit was explained; the
            output of a model that returns numbers, and a function as target, are followed as they are, as is every
            target by "target". The best value is then the largest drop that was reached.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        deyoung2020eraser

    Example:
        >>> import torch
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[3.0, 1.0, 0.0, -2.0]])
        >>> query = Query(lambda x: x.sum(1, keepdim=True), x, lambda outputs: outputs[:, 0])
        >>> measured = Comprehensiveness(fractions=(0.25, 0.5)).measure(Attribution(x, source=query))
        >>> measured.values.item(), measured.curve.tolist()
        (3.5, [[3.0, 4.0]])
    """

    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    def measure(self, attribution: Attribution) -> Measurement:
        """Remove the top elements.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The mean drop, the drop at each fraction, and the probability `before`.
        """
        return self.compare(attribution, attribution.query.x, baseline_of(self.baseline, attribution.query))
