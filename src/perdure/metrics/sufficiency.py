"""Sufficiency: how much the prediction loses when only the elements of highest attribution are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._top_fractions import TopFractions
from perdure.ops.baseline import baseline_of

__all__ = ["Sufficiency"]


@dataclass(frozen=True)
class Sufficiency(TopFractions):
    r"""Drop of the probability when only the top elements of a map are kept, mean over fractions of the elements.

    .. math:: s = \frac1{|Q|} \sum_{q \in Q} S(x) - S(\text{only the top } q \text{ of } x)

    Low is good, and negative where the top elements alone are classified with a higher probability than the input; the
    best value is :math:`S(x) - 1`. The curve is the drop at each fraction. Numbers of elements are rounded, at least
    one; ties are taken in the order of their index, and padding is never touched.

    Args:
        fractions: Fractions q of the elements, each between 0 and 1.
        absolute: Whether elements are ranked by the absolute value of the map; otherwise by the signed map, so that
            evidence for the class comes first. Published scores differ in this more than methods do.
        baseline: Value of the other elements; published ones are "zero" and "mean", that of the series.
        granularity: "position" keeps all channels of a pixel, features of a step or numbers of an embedding
            together, by their summed attribution; "element" each number by itself; None is "position" for images
            (batch, channel, row, column), and otherwise the unit of the map of each sample: the step where it is
            constant over the features of each step, else the element.
        score: "probability" follows the probability of the explained class, also where its logit was explained; the
            output of a model that returns numbers, and a function as target, are followed as they are, as is every
            target by "target". The best value is then the smallest drop that was reached.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        deyoung2020eraser

    Example:
        >>> import torch
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[3.0, 1.0, 0.0, -2.0]])
        >>> query = Query(lambda x: x.sum(1, keepdim=True), x, lambda outputs: outputs[:, 0])
        >>> measured = Sufficiency(fractions=(0.25, 0.5)).measure(Attribution(x, source=query))
        >>> measured.values.item(), measured.curve.tolist()
        (-1.5, [[-1.0, -2.0]])
    """

    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    def measure(self, attribution: Attribution) -> Measurement:
        """Keep the top elements.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The mean drop, the drop at each fraction, and the probability `before`.
        """
        return self.compare(attribution, baseline_of(self.baseline, attribution.query), attribution.query.x)
