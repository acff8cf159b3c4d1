"""Maps as arrays of xarray: named axes, and how they came about."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perdure.core.attribution import Attribution
from perdure.core.errors import DependencyError
from perdure.interop.coordinates import axes_of

if TYPE_CHECKING:
    import xarray

__all__ = ["to_xarray"]


def to_xarray(attribution: Attribution, names: Mapping[str, Sequence[Any]] | None = None) -> xarray.DataArray:
    """Hand a map over to xarray.

    Args:
        attribution: the map.
        names: of places, by axis, such as {"sample": ids, "feature": regions}; others are counted from 0.

    Returns:
        An array called "attribution", of axes "sample" and those of the map. Its attributes are the fields of the
        provenance, settings and versions as JSON, so that it can be written to netCDF and Zarr. Further numbers of
        the method that have one row per sample are coordinates.

    Raises:
        DependencyError: when xarray is not installed.
        ShapeError: when the names do not fit.

    Example:
        >>> import torch
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("gradient", {}, "logit", None, {}, "none", 1, 1)
        >>> found = Attribution(torch.ones(2, 3), ("batch", "feature"), record)
        >>> array = to_xarray(found, {"feature": ["a", "b", "c"]})
        >>> array.dims, array.attrs["method"], float(array.sel(feature="b").sum())
        (('sample', 'feature'), 'gradient', 2.0)
    """
    try:
        import xarray
    except ImportError as error:
        raise DependencyError("this needs the package 'xarray'", "pip install 'perdure[xarray]'") from error
    axes = axes_of(attribution, names)
    coords: dict[str, Any] = {axis: (axis, places) for axis, places in axes.items()}
    for name, numbers in attribution.aux.items():
        if numbers.ndim == 1 and name not in coords:
            coords[name] = ("sample", numbers.detach().cpu().numpy().copy())
    values = attribution.values.detach().cpu().numpy().copy()
    return xarray.DataArray(values, coords, tuple(axes), "attribution", _attributes(attribution))


def _attributes(attribution: Attribution) -> dict[str, Any]:
    """Give the provenance in types that file formats know; nothing stands for None."""
    fields = dataclasses.asdict(attribution.provenance)
    plain = {
        name: value if isinstance(value, str | int) else json.dumps(value, default=str)
        for name, value in fields.items()
    }
    return {name: value for name, value in plain.items() if fields[name] is not None}
