"""Plain gradients, and their absolute value: saliency."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from perdure.core.query import Query

__all__ = ["Gradient"]


@dataclass(frozen=True)
class Gradient:
    r"""Differentiate the target with respect to each site.

    .. math:: a_i = \partial S / \partial x_i

    Signed by default; `absolute` gives the saliency of Simonyan et al.

    Args:
        absolute: whether to return the absolute value.

    Reference:
        simonyan2014deep
    """

    absolute: bool = False

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Differentiate once.

        Args:
            query: the question.

        Returns:
            The gradient at x.
        """
        gradient = query.gradient(query.x)
        return gradient.abs() if self.absolute else gradient
