"""Plain gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from perdure.core.query import Query

__all__ = ["Gradient"]


@dataclass(frozen=True)
class Gradient:
    r"""Differentiate the target with respect to each site, with its sign.

    .. math:: a_i = \partial S / \partial x_i

    Reference:
        simonyan2014deep
    """

    differentiates_at_x: ClassVar[bool] = True

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Differentiate once.

        Args:
            query: the question.

        Returns:
            The gradient at x.
        """
        return query.gradient(query.x)
