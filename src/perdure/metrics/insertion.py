"""Insertion: how soon the prediction is made when the highest sites are brought in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._perturbation import PerturbationCurve

__all__ = ["Insertion"]


@dataclass(frozen=True)
class Insertion(PerturbationCurve):
    r"""Area under the score while sites of the input replace the baseline, those of the highest attribution first.

    .. math:: I = \int_0^1 S\big( x' \text{ with the first } u \text{ of } x \big) \, du

    with `u` the fraction of the inserted sites and x' the baseline, by trapezoids that begin at x' and end at x.
    High is good, 1 is best. The map is signed, so sites that are evidence for the class come first; tied sites come in
    the order of their index (a constant map from the start to the end of the input), and padding is never touched.
    For a linear target with contributions :math:`c_{(1)}, c_{(2)}, \dots` in the order of the map, one by one
    from zero, :math:`I = S(0) + \sum_i c_{(i)} (N - i + \tfrac12) / N`.

    The curve is read off at `points` + 1 equal distances; `aux` holds its `first` and `last` score.

    Args:
        step: units of the granularity per step, 1 for one by one; None for `points` nearly equal steps, or one by
            one where there are fewer.
        points: steps of the curve.
        baseline: Value that an absent site holds; the paper takes "blur" for images.
        granularity: "position" perturbs all channels of a pixel, features of a step or numbers of an embedding
            together, by their summed attribution; "element" each number by itself; None is "position" for images
            (batch, channel, row, column), and otherwise the unit of the map of each sample: the step where it is
            constant over the features of each step, else the element.
        score: "probability" follows the probability of the explained class, also where its logit was explained; the
            output of a model that returns numbers, and a function as target, are followed as they are, as is every
            target by "target". The best value is then the best that the target reaches on any curve.
        share: Fraction of the sites that is inserted, rounded down, at least one site; `u` is then the fraction of
            these.
        compat: "published" for the area of the published code of input bottlenecks: trapezoids of width
            1 / (number of scores), the baseline not among them; images in a staircase, each run of 80 steps scored
            as its last, because the published buffer is not copied. Its settings are `step` 10 and `baseline`
            "blur" for images (over 9 pixels there, 31 here); `step` 2, `share` 0.4 and `granularity` "position"
            for text.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        petsiuk2018rise

    Example:
        >>> import torch
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[3.0, 1.0]])
        >>> query = Query(lambda x: x.sum(1), x, lambda logits: logits[:, 0])
        >>> Insertion().measure(Attribution(x, source=query)).values.item()  # (0 + 3) / 2 and (3 + 4) / 2, each half
        2.5
    """

    needs_truth: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = 1.0

    def measure(self, attribution: Attribution) -> Measurement:
        """Bring the highest sites in.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The area, in [0, 1] for a probability; the curve, `first` and `last`.
        """
        return self.between(attribution, self.blank(attribution.query), attribution.query.x)
