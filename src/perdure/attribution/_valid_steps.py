"""Explain samples without their padding, for methods that cannot exclude padded steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import UnsupportedError
from perdure.core.query import Query, slice_query

__all__ = ["explain_by_length", "explain_each"]


def explain_each(query: Query, scores: Callable[[Query], Tensor]) -> Float[Tensor, "batch *site"]:
    """Explain each sample separately, cut to its valid steps.

    Args:
        query: Query to explain.
        scores: Function that returns the map of a query with one sample and no padding.

    Returns:
        Maps, zero at padded steps.
    """
    return _explain_groups(query, list(torch.split(torch.arange(len(query.x)), 1)), scores)


def explain_by_length(query: Query, scores: Callable[[Query], Tensor]) -> Float[Tensor, "batch *site"]:
    """Explain samples of equal length together, cut to their valid steps; without a mask, all samples.

    Args:
        query: Query to explain.
        scores: Function that returns the maps of a query without padding.

    Returns:
        Maps, zero at padded steps.
    """
    if query.lengths is None:
        return scores(query)
    return _explain_groups(
        query, [(query.lengths == n).nonzero()[:, 0].cpu() for n in torch.unique(query.lengths)], scores
    )


def _explain_groups(query: Query, groups: list[Tensor], scores: Callable[[Query], Tensor]) -> Tensor:
    values = torch.zeros_like(query.x)
    for index in groups:
        group = slice_query(query, index)
        if group.lengths is not None and group.mask is not None:
            steps = int(group.lengths[0])
            group = replace(group, x=group.x[:, :steps], mask=group.mask[:, :steps])
        try:
            result = scores(group)
        except RuntimeError as error:
            known = _name_fixed_steps(query, group)
            if known is None:
                raise
            raise known from error
        values[index, : group.x.shape[1]] = result.to(values)
    return values


def _name_fixed_steps(query: Query, group: Query) -> UnsupportedError | None:
    """Name a model that reads padded samples of one number of steps, and no shorter ones."""
    steps = group.x.shape[1]
    if query.mask is None or steps == query.x.shape[1]:
        return None
    try:
        group.value(group.x)
    except RuntimeError:
        return UnsupportedError(
            f"this method explains each sample without its padding, and the model does not take {steps} steps, only "
            f"{query.x.shape[1]}",
            "use a method that keeps the padding, such as 'integrated_gradients' or 'occlusion', or let the model take "
            "any number of steps",
        )
    return None
