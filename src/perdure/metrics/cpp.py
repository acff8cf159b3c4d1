"""CPP: how far the prediction moves while the elements of smallest attribution are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.core.attribution import Attribution
from perdure.core.metric import Measurement
from perdure.metrics._cumulative import CumulativeChange

__all__ = ["CPP"]


@dataclass(frozen=True)
class CPP(CumulativeChange):
    r"""Cumulative prediction preservation: the sum of all changes while elements are removed, smallest first.

    .. math:: CPP = \sum_k \big\| F(x^{(k)}) - F(x^{(k+1)}) \big\|_1

    with :math:`x^{(k)}` the input whose k elements of smallest absolute attribution are set to the baseline, and F the
    probabilities of all classes. Low is good, 0 is best.

    `aux` holds `bound`, the distance between the first and the last prediction, below which no order of these elements
    can score, and `turning`, what exceeds it.

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
        >>> CPP(fraction=0.7).measure(Attribution(x, source=query)).values.item()  # removes 1 and then -2
        3.0
    """

    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    def measure(self, attribution: Attribution) -> Measurement:
        """Remove the elements of smallest absolute attribution.

        Args:
            attribution: Attribution, with or without a truth.

        Returns:
            The sum of all changes, the changes so far, `bound` and `turning`.
        """
        return self.remove(attribution, largest_first=False)
