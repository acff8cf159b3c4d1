"""Maps as long tables of pandas: one row per element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_lengths
from perdure.core.optional import require
from perdure.interop._axes import name_axes

if TYPE_CHECKING:
    import pandas

__all__ = ["to_frame"]


def to_frame(
    attribution: Attribution,
    names: Mapping[str, Sequence[Any]] | None = None,
    lengths: Int[Tensor, " batch"] | None = None,
) -> pandas.DataFrame:
    """Convert a map to a long table.

    Args:
        attribution: Map to convert.
        names: Names of positions by axis, such as {"sample": ids, "feature": regions}. The default is 0, 1, ...
        lengths: Valid steps of each sample; padded steps have no row. None when all are valid.

    Returns:
        Table with columns "sample", one for each further axis, and "value".

    Raises:
        DependencyError: when pandas is not installed.
        ShapeError: when the names do not match the map.
        LengthError: when the lengths do not match the map.

    Example:
        >>> import torch
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("gradient", {}, "logit", None, {}, "none", 1, 1)
        >>> attribution = Attribution(torch.tensor([[1.0, 2.0]]), ("batch", "feature"), record)
        >>> to_frame(attribution, {"sample": ["ann"], "feature": ["age", "height"]})
          sample feature  value
        0    ann     age    1.0
        1    ann  height    2.0
    """
    library = require("pandas", extra="report", purpose="a table")
    axes, values = name_axes(attribution, names), attribution.values.detach().cpu().numpy()
    indices = np.indices(values.shape).reshape(values.ndim, -1)
    if lengths is not None:
        check_lengths(lengths, attribution.values)
        indices = indices[:, indices[1] < lengths.cpu().numpy()[indices[0]]]
    columns = {
        axis: library.Series(positions).take(index).array
        for (axis, positions), index in zip(axes.items(), indices, strict=True)
    }
    table: pandas.DataFrame = library.DataFrame({**columns, "value": values[tuple(indices)]})
    return table
