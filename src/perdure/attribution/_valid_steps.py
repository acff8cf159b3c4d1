"""Samples without their padding, for methods that treat all steps of an input alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.query import Query, part

__all__ = ["by_length", "one_by_one"]


def one_by_one(query: Query, scores: Callable[[Query], Tensor]) -> Float[Tensor, "batch *site"]:
    """Explain each sample by itself, cut to its valid steps.

    Args:
        query: the question.
        scores: gives a map for a question about one sample without padding.

    Returns:
        The maps, with zeros at padded steps.
    """
    return _explained(query, list(torch.split(torch.arange(len(query.x)), 1)), scores)


def by_length(query: Query, scores: Callable[[Query], Tensor]) -> Float[Tensor, "batch *site"]:
    """Explain together the samples of one length, cut to their valid steps; without a mask, all.

    Args:
        query: the question.
        scores: gives maps for a question about samples without padding.

    Returns:
        The maps, with zeros at padded steps.
    """
    if query.lengths is None:
        return scores(query)
    return _explained(query, [(query.lengths == n).nonzero()[:, 0].cpu() for n in torch.unique(query.lengths)], scores)


def _explained(query: Query, groups: list[Tensor], scores: Callable[[Query], Tensor]) -> Tensor:
    values = torch.zeros_like(query.x)
    for index in groups:
        some = part(query, index)
        if some.lengths is not None and some.mask is not None:
            steps = int(some.lengths[0])
            some = replace(some, x=some.x[:, :steps], mask=some.mask[:, :steps])
        values[index, : some.x.shape[1]] = scores(some).to(values)
    return values
