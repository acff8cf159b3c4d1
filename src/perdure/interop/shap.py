"""Maps as `shap.Explanation`; SHAP need not be installed."""

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
from perdure.interop._axes import name_axes

__all__ = ["ShapLike", "to_shap"]


@dataclass(frozen=True, eq=False)
class ShapLike:
    """The fields of `shap.Explanation`.

    Args:
        values: Map.
        base_values: Target at the baseline, one per sample.
        data: Inputs; None if they were not passed.
        feature_names: Names of the features of a table, or of the last axis.
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
    """Convert a map to `shap.Explanation`.

    The plots of SHAP are for tables: select or sum an axis first, as in `to_shap(attribution)[:, 3]` for one step.

    Args:
        attribution: Map; its values are signed contributions if the method is complete, such as
            "integrated_gradients" or "kernel_shap".
        x: Explained inputs.
        base_values: Target at the baseline, a number or one per sample; None for NaN, which SHAP shows as unknown.
        feature_names: Names along the last axis; None for numbers.

    Returns:
        `shap.Explanation` if SHAP is installed, otherwise a `ShapLike` with the same fields.

    Raises:
        ShapeError: when inputs, base values or names do not match the map.

    Example:
        >>> from perdure.core.attribution import Provenance
        >>> record = Provenance("integrated_gradients", {}, "logit", None, {}, "none", 1, 1)
        >>> attribution = Attribution(torch.tensor([[1.0, 2.0]]), ("batch", "feature"), record)
        >>> explanation = to_shap(attribution, base_values=0.5, feature_names=["age", "height"])
        >>> explanation.values.tolist(), explanation.base_values.tolist(), explanation.feature_names
        ([[1.0, 2.0]], [0.5], ['age', 'height'])
    """
    values, last = attribution.values.detach().cpu(), attribution.dims[-1]
    axes = name_axes(attribution, None if feature_names is None else {last: feature_names})
    if x is not None and x.shape != values.shape:
        raise ShapeError(f"x has shape {tuple(x.shape)}, the map {tuple(values.shape)}", "pass the inputs of the map")
    base = torch.as_tensor(torch.nan if base_values is None else base_values).detach().cpu().to(values)
    if base.ndim and base.shape != values.shape[:1]:
        raise ShapeError(f"base values have shape {tuple(base.shape)}", f"pass a number, or {len(values)} numbers")
    result = ShapLike(
        values.numpy().copy(),
        base.expand(len(values)).numpy().copy(),
        None if x is None else x.detach().cpu().numpy().copy(),
        [str(position) if feature_names else f"{last} {position}" for position in axes[last]],
    )
    if find_spec("shap") is None:
        return result
    import shap

    return shap.Explanation(**vars(result))
