"""Maps as arrays of xarray with named axes and provenance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perdure.core.attribution import Attribution
from perdure.core.optional import require
from perdure.interop._axes import name_axes

if TYPE_CHECKING:
    import xarray

__all__ = ["to_xarray"]


def to_xarray(attribution: Attribution, names: Mapping[str, Sequence[Any]] | None = None) -> xarray.DataArray:
    """Convert a map to an array of xarray.

    Args:
        attribution: Map to convert.
        names: Names of positions by axis, such as {"sample": ids, "feature": regions}. The default is 0, 1, ...

    Returns:
        Array "attribution" with the axis "sample" and the further axes of the map. Its attributes are the fields of
        the provenance, with settings and versions as JSON, so that it can be written to netCDF and Zarr. Auxiliary
        results of the method with one number per sample are coordinates.

    Raises:
        DependencyError: when xarray is not installed.
        ShapeError: when the names do not match the map.

    Example:
        >>> import torch
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("gradient", {}, "logit", None, {}, "none", 1, 1)
        >>> attribution = Attribution(torch.ones(2, 3), ("batch", "feature"), record)
        >>> array = to_xarray(attribution, {"feature": ["a", "b", "c"]})
        >>> array.dims, array.attrs["method"], float(array.sel(feature="b").sum())
        (('sample', 'feature'), 'gradient', 2.0)
    """
    library = require("xarray", extra="xarray", purpose="an array with named axes")
    axes = name_axes(attribution, names)
    coords: dict[str, Any] = {axis: (axis, places) for axis, places in axes.items()}
    for name, numbers in attribution.aux.items():
        if numbers.ndim == 1 and name not in coords:
            coords[name] = ("sample", numbers.detach().cpu().numpy().copy())
    values = attribution.values.detach().cpu().numpy().copy()
    array: xarray.DataArray = library.DataArray(values, coords, tuple(axes), "attribution", _to_attributes(attribution))
    return array


def _to_attributes(attribution: Attribution) -> dict[str, Any]:
    """Convert the provenance to types of file formats; fields that are None are omitted."""
    fields = dataclasses.asdict(attribution.provenance)
    plain = {
        name: value if isinstance(value, str | int) else json.dumps(value, default=str)
        for name, value in fields.items()
    }
    return {name: value for name, value in plain.items() if fields[name] is not None}
