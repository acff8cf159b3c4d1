"""Maps as long tables of pandas: one row per site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_lengths
from perdure.core.errors import DependencyError
from perdure.interop.coordinates import axes_of

if TYPE_CHECKING:
    import pandas

__all__ = ["to_frame"]


def to_frame(
    attribution: Attribution,
    names: Mapping[str, Sequence[Any]] | None = None,
    lengths: Int[Tensor, " batch"] | None = None,
) -> pandas.DataFrame:
    """Lay a map out as a long table.

    Args:
        attribution: the map.
        names: of places, by axis, such as {"sample": ids, "feature": regions}; others are counted from 0.
        lengths: valid steps of each sample; padded steps get no row. None when all are valid.

    Returns:
        Columns "sample", one for each further axis, and "value".

    Raises:
        DependencyError: when pandas is not installed.
        ShapeError: when the names do not fit.
        LengthError: when the lengths do not fit.

    Example:
        >>> import torch
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("gradient", {}, "logit", None, {}, "none", 1, 1)
        >>> found = Attribution(torch.tensor([[1.0, 2.0]]), ("batch", "feature"), record)
        >>> to_frame(found, {"sample": ["ann"], "feature": ["age", "height"]})
          sample feature  value
        0    ann     age    1.0
        1    ann  height    2.0
    """
    try:
        import pandas
    except ImportError as error:
        raise DependencyError("this needs the package 'pandas'", "pip install 'perdure[report]'") from error
    axes, values = axes_of(attribution, names), attribution.values.detach().cpu().numpy()
    places = np.indices(values.shape).reshape(values.ndim, -1)
    if lengths is not None:
        check_lengths(lengths, attribution.values)
        places = places[:, places[1] < lengths.cpu().numpy()[places[0]]]
    columns = {
        axis: pandas.Series(known).take(place).array for (axis, known), place in zip(axes.items(), places, strict=True)
    }
    return pandas.DataFrame({**columns, "value": values[tuple(places)]})
