"""Maps as explanations of SHAP, which need not be installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.errors import ShapeError
from perdure.interop.coordinates import axes_of

__all__ = ["ShapLike", "to_shap"]


@dataclass(frozen=True, eq=False)
class ShapLike:
    """What `shap.Explanation` shows, under its names.

    Args:
        values: the map.
        base_values: the target where no site says anything, one per sample.
        data: the inputs; None when they were not given.
        feature_names: of the sites of a table, or of the last axis.
    """

    values: np.ndarray
    base_values: np.ndarray
    data: np.ndarray | None
    feature_names: list[str]


def to_shap(
    attribution: Attribution,
    x: Tensor | None = None,
    *,
    base_values: Tensor | float | None = None,
    feature_names: Sequence[str] | None = None,
) -> Any:
    """Hand a map over as `shap.Explanation`.

    The plots of SHAP are for tables: select or sum an axis first, as in `to_shap(found)[:, 3]` for one step.

    Args:
        attribution: the map; its values are signed contributions when the method is complete, such as
            "integrated_gradients" or "kernel_shap".
        x: the inputs that are explained.
        base_values: the target at the baseline, a number or one per sample; None for NaN, which SHAP shows as unknown.
        feature_names: of the last axis; None to count.

    Returns:
        A `shap.Explanation` when shap is installed, otherwise a `ShapLike` with the same names.

    Raises:
        ShapeError: when inputs, base values or names do not fit the map.

    Example:
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("integrated_gradients", {}, "logit", None, {}, "none", 1, 1)
        >>> found = Attribution(torch.tensor([[1.0, 2.0]]), ("batch", "feature"), record)
        >>> given = to_shap(found, base_values=0.5, feature_names=["age", "height"])
        >>> given.values.tolist(), given.base_values.tolist(), given.feature_names
        ([[1.0, 2.0]], [0.5], ['age', 'height'])
    """
    values, last = attribution.values.detach().cpu(), attribution.dims[-1]
    axes = axes_of(attribution, None if feature_names is None else {last: feature_names})
    if x is not None and x.shape != values.shape:
        raise ShapeError(f"x has shape {tuple(x.shape)}, the map {tuple(values.shape)}", "pass the inputs of the map")
    base = torch.as_tensor(torch.nan if base_values is None else base_values).detach().cpu().to(values)
    if base.ndim and base.shape != values.shape[:1]:
        raise ShapeError(f"base values have shape {tuple(base.shape)}", f"give a number, or {len(values)}")
    found = ShapLike(
        values.numpy().copy(),
        base.expand(len(values)).numpy().copy(),
        None if x is None else x.detach().cpu().numpy().copy(),
        [str(place) if feature_names else f"{last} {place}" for place in axes[last]],
    )
    if find_spec("shap") is None:
        return found
    import shap

    return shap.Explanation(**vars(found))
