"""Saliency: the absolute gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from perdure.core.query import Query

__all__ = ["Saliency"]


@dataclass(frozen=True)
class Saliency:
    r"""Differentiate the target with respect to each site and drop the sign.

    .. math:: a_i = |\partial S / \partial x_i|

    Reference:
        simonyan2014deep
    """

    differentiates_at_x: ClassVar[bool] = True

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Differentiate once.

        Args:
            query: the question.

        Returns:
            The absolute gradient at x.
        """
        return query.gradient(query.x).abs()
