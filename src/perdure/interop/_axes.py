"""Names of the axes of a map and of the positions along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.core.attribution import Attribution
from perdure.core.errors import ShapeError

__all__ = ["name_axes"]


def name_axes(attribution: Attribution, names: Mapping[str, Sequence[Any]] | None = None) -> dict[str, list[Any]]:
    """Name the axes of a map and the positions along them.

    Args:
        attribution: Map; its first axis is named "sample".
        names: Names of positions by axis: ids of samples, names of features, times of steps. The default is 0, 1, ...

    Returns:
        List of positions for each axis, in the order of the axes.

    Raises:
        ShapeError: for an unknown axis or a wrong number of names.

    Example:
        >>> import torch
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("gradient", {}, "logit", None, {}, "none", 1, 1)
        >>> name_axes(Attribution(torch.zeros(1, 2), ("batch", "feature"), record), {"feature": ["age", "height"]})
        {'sample': [0], 'feature': ['age', 'height']}
    """
    sizes = dict(zip(("sample", *attribution.dims[1:]), attribution.values.shape, strict=True))
    named = dict(names or {})
    for axis, positions in named.items():
        if len(positions) != sizes.get(axis):
            raise ShapeError(
                f"{len(positions)} names were passed for the axis '{axis}', and the axes are {sizes}",
                "pass a name for each position, as in {'feature': [...]}",
            )
    return {axis: list(named.get(axis, range(size))) for axis, size in sizes.items()}
