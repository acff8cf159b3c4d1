"""Random maps: the null of every comparison."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from perdure.core.query import Query
from perdure.core.random import uniform

__all__ = ["Random"]


@dataclass(frozen=True)
class Random:
    """Draw every site from a uniform distribution, without the model.

    What a method does not do better than this map, it does not do.

    Reference:
        ismail2019inputcell
    """

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Draw one map per sample from the sample's own stream.

        Args:
            query: the question; only its shape and seeds are used.

        Returns:
            Independent values in [0, 1).
        """
        return uniform(query.seeds, tuple(query.x.shape[1:]), query.x)
