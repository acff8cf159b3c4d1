"""CPD: how far the prediction moves while the elements of largest attribution are removed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._cumulative import CumulativeChange

__all__ = ["CPD"]


@dataclass(frozen=True)
class CPD(CumulativeChange):
    r"""Cumulative prediction difference: the sum of all changes while elements are removed, largest attribution first.

    .. math:: CPD = \sum_k \big\| F(x^{(k)}) - F(x^{(k+1)}) \big\|_1

    with :math:`x^{(k)}` the input whose k elements of largest absolute attribution are set to the baseline, and F the
    probabilities of all classes. High is good. For an additive output it is the sum of the absolute contributions of
    what is removed, so that ordering by the absolute attribution is best. Behind a softmax or sigmoid it rewards
    evidence for and against in turns: a random order may score higher than a right one, so compare with the null, and
    see `score="output"`.

    `aux` holds `bound`, the distance between the first and the last prediction, below which no order of these elements
    can score, and `turning`, what exceeds it. The ceiling is the best score of all maps that are measured.

    Args:
        fraction: Fraction of the elements that is removed, rounded down, at least one.
        step: Elements removed at once.
        baseline: Value that an element is set to.
        granularity: "position" perturbs all channels of a pixel, features of a step or numbers of an embedding
            together, by their summed attribution; "element" each number by itself; None is "position" for images
            (batch, channel, row, column), and otherwise the unit of the map of each sample: the step where it is
            constant over the features of each step, else the element.
        score: "probability" follows the probabilities of all classes, or the outputs of a model that returns numbers,
            or the value of a function as target; "output" all outputs as they are, such as logits, also of all steps;
            "target" the target alone.
        compat: "published" for the mean over classes, as published code computes it, instead of the sum.

    Raises:
        SettingError: For a value that cannot be used.

    Reference:
        jang2025timing

    Example:
        >>> import torch
        >>> from perdure.core.query import Query
        >>> x = torch.tensor([[3.0, 1.0, -2.0]])
        >>> query = Query(lambda x: x.sum(1, keepdim=True), x, lambda outputs: outputs[:, 0])
        >>> measured = CPD(fraction=0.7).measure(Attribution(x, source=query))  # removes 3 and then -2
        >>> measured.values.item(), measured.aux["bound"].item(), measured.aux["turning"].item()
        (5.0, 1.0, 4.0)
    """

    higher_is_better: ClassVar[bool] = True
    best: ClassVar[float] = inf

    def measure(self, attribution: Attribution) -> Measurement:
        """Remove the elements of largest absolute attribution.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The sum of all changes, the changes so far, `bound` and `turning`.
        """
        measured = self.remove(attribution, largest_first=True)
        return replace(measured, best=measured.values)
