"""The axes of a map by name, with what stands at each place along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.core.attribution import Attribution
from perdure.core.errors import ShapeError

__all__ = ["axes_of"]


def axes_of(attribution: Attribution, names: Mapping[str, Sequence[Any]] | None = None) -> dict[str, list[Any]]:
    """Name the axes of a map and the places along them.

    Args:
        attribution: the map; its first axis is called "sample".
        names: of places, by axis: ids of samples, names of features, times of steps. Others are counted from 0.

    Returns:
        A list for each axis, in the order of the axes.

    Raises:
        ShapeError: for an axis that is not there, or names that are too few or too many.

    Example:
        >>> import torch
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("gradient", {}, "logit", None, {}, "none", 1, 1)
        >>> axes_of(Attribution(torch.zeros(1, 2), ("batch", "feature"), record), {"feature": ["age", "height"]})
        {'sample': [0], 'feature': ['age', 'height']}
    """
    sizes = dict(zip(("sample", *attribution.dims[1:]), attribution.values.shape, strict=True))
    given = dict(names or {})
    for axis, places in given.items():
        if len(places) != sizes.get(axis):
            raise ShapeError(
                f"{len(places)} names were given for the axis '{axis}', and the axes are {sizes}",
                "give a name for each place, as in {'feature': [...]}",
            )
    return {axis: list(given.get(axis, range(size))) for axis, size in sizes.items()}
