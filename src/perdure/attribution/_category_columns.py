"""Columns of categories, through which no gradient reaches the input."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import PartialInputWarning
from perdure.core.query import Query, slice_query

__all__ = ["warn_of_categories"]


def warn_of_categories(values: Float[Tensor, "batch *site"], query: Query, method: str) -> None:
    """Warn if a column of whole numbers has no importance, although the output depends on it.

    A model that looks a category up in a table, `table(x[:, 0].long())`, has no gradient with respect to it. Only
    columns whose map is zero everywhere cost a forward pass, of the first sample.

    Args:
        values: The map.
        query: Query that it explains.
        method: Name of the method.

    Warns:
        PartialInputWarning: For such columns.
    """
    if query.x.ndim > 3:
        return
    x = query.x.flatten(0, -2)
    silent = (~values.flatten(0, -2).any(0)).nonzero()[:, 0].tolist()
    columns = [k for k in silent if _is_category(x[:, k]) and _reads(query, k)]
    if columns:
        warnings.warn(
            f"method '{method}' gives column {', '.join(map(str, columns))} of the input no importance, although the "
            "output depends on it: the model reads it as a category, and no gradient passes through the look-up. Use "
            "'occlusion' or 'shapley_sampling', or pass the embeddings of the categories as inputs.",
            PartialInputWarning,
            stacklevel=4,
        )


def _is_category(column: Tensor) -> bool:
    return bool((column == column.round()).all() and (column != column[0]).any())


def _reads(query: Query, column: int) -> bool:
    """Return whether the target of the first sample changes with a column; its values stay those of the data."""
    first = slice_query(query, torch.tensor([0]))
    known, place = torch.unique(query.x[..., column], return_inverse=True)
    moved = first.x.clone()
    moved[..., column] = known[(place[:1] + 1) % len(known)]
    before, after = first.value(torch.stack([first.x, moved]))
    return bool(before != after)
