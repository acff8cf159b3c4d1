"""Input times gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from perdure.core.query import Query

__all__ = ["InputXGradient"]


@dataclass(frozen=True)
class InputXGradient:
    r"""Multiply each site by the gradient of the target there.

    .. math:: a_i = x_i \, \partial S / \partial x_i

    For a linear model this is what each site adds to the output. One gradient per sample.

    Reference:
        shrikumar2017learning
    """

    differentiates_at_x: ClassVar[bool] = True

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Differentiate once.

        Args:
            query: the question.

        Returns:
            The products.
        """
        return query.x * query.gradient(query.x)
