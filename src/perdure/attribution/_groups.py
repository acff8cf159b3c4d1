"""Groups of elements that are removed together: their numbers, and the target without some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.errors import SettingError, ShapeError, UnsupportedError
from perdure.core.query import Query
from perdure.core.spec import AnyForm
from perdure.core.values import Values, read_values

__all__ = ["Groups", "group_elements", "set_groups", "values_without"]

GroupName = Literal["element", "step", "feature"]
NAMES = get_args(GroupName)
Groups = Annotated[GroupName | str | Path | Values | Tensor, AnyForm()]
"""A name, or the number of the group of each element: a tensor that broadcasts to a sample, or the path of a file."""

RESUMED_ROWS = 64
"""Rows of one call that resumes from a state: fewer waste calls, more repeat steps before what is removed."""


def set_groups(settings: Any) -> None:
    """Read the field `groups` of a frozen object of settings, in place, while the object is made.

    Args:
        settings: Object with a field `groups` in any form.

    Raises:
        SettingError: For groups that cannot be read.
    """
    given = settings.groups
    if isinstance(given, str) and given in NAMES:
        return
    wanted = f"give {' or '.join(map(repr, NAMES))}, or the number of the group of each element"
    try:
        value = read_values(given, "groups")
    except SettingError as error:
        raise SettingError(error.cause, wanted) from error
    if not isinstance(value, Values) or not torch.equal(value.tensor, value.tensor.round()):
        raise SettingError(f"groups is {given}", wanted)
    object.__setattr__(settings, "groups", value)


def group_elements(groups: Groups, query: Query) -> Int[Tensor, "*site"]:
    """Number the group of each element of a sample.

    Args:
        groups: "element" for each by itself, "step" for all features of a step, "feature" for a feature at all steps
            or a channel at all positions; or the number of the group of each element.
        query: Query to explain.

    Returns:
        Numbers from 0 on.

    Raises:
        ShapeError: For numbers that do not fit a sample.
        UnsupportedError: For steps of inputs that are no series.
    """
    sizes = query.x.shape[1:]
    if isinstance(groups, Values):
        numbers = _fit(groups.tensor, sizes, query)
    elif groups == "step":
        if query.x.ndim != 3:
            raise UnsupportedError(
                f"inputs of shape {tuple(query.x.shape)} have no steps", "give groups='element' or groups='feature'"
            )
        numbers = torch.arange(sizes[0])[:, None].expand(sizes)
    elif groups == "feature":
        axis = 0 if query.x.ndim > 3 else len(sizes) - 1
        shape = [-1 if i == axis else 1 for i in range(len(sizes))]
        numbers = torch.arange(sizes[axis]).reshape(shape).expand(sizes)
    else:
        numbers = torch.arange(sizes.numel()).reshape(sizes)
    return numbers.unique(return_inverse=True)[1].to(query.x.device)


def _fit(numbers: Tensor, sizes: torch.Size, query: Query) -> Tensor:
    axis = numbers.ndim - len(sizes)
    if query.mask is not None and axis >= 0 and numbers.shape[axis] > sizes[0]:
        numbers = numbers.narrow(axis, 0, sizes[0])
    try:
        return numbers.expand(sizes)
    except RuntimeError:
        raise ShapeError(
            f"groups have shape {tuple(numbers.shape)} for samples of shape {tuple(sizes)}",
            "give one number for each element, or a tensor that broadcasts to a sample",
        ) from None


def values_without(
    query: Query, start: Float[Tensor, "batch *site"], removed: Bool[Tensor, "copies *site"]
) -> Float[Tensor, "copies batch"]:
    """Evaluate the target with sets of elements removed.

    A model that can resume from a state computes only the steps from the first removed one on.

    Args:
        query: Query to explain.
        start: Values of removed elements.
        removed: Elements that are removed in each copy.

    Returns:
        The target of each copy, without a graph.
    """
    copies = max(1, query.rows // len(query.x))
    if not query.resumable or query.x.ndim != 3:
        parts = (torch.where(piece[:, None], start, query.x) for piece in removed.split(copies))
        return torch.cat([query.value(part) for part in parts])
    first = removed.any(2).int().argmax(1)
    order = first.argsort(stable=True)
    groups = order.split(max(1, min(query.rows, RESUMED_ROWS) // len(query.x)))
    begins = [int(first[group[0]]) for group in groups]
    values = []
    for group, begin, state in zip(groups, begins, query.states(begins), strict=True):
        rest = slice(begin, None)
        points = torch.where(removed[group][:, None, rest], start[:, rest], query.x[:, rest])
        values.append(query.value_from(state, points))
    return torch.cat(values)[order.argsort()]
