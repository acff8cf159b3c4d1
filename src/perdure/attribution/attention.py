"""Attention weights, read as an explanation."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from perdure.core.query import Query

__all__ = ["Attention"]


@dataclass(frozen=True)
class Attention:
    """Give each step the attention it receives, spread evenly over its features.

    A map sums to one over the valid sites of a sample. It does not depend on the target: attention shows where a
    model looks, not what it concludes from that. One forward pass per sample.

    Reference:
        lin2017selfattentive
    """

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Read the attention of the model.

        Args:
            query: the question; its model must be one that attends.

        Returns:
            Weights, the same for all features of a step.

        Raises:
            UnsupportedError: when the model has no attention.
        """
        weights = query.attention()
        features = query.x[0, 0].numel()
        return (weights / features).reshape(*weights.shape, *[1] * (query.x.ndim - 2)).expand_as(query.x)
