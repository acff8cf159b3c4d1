"""Backgrounds: sets of reference samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from jaxtyping import Float
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError
from perdure.core.query import Query
from perdure.core.spec import AnyForm
from perdure.core.values import Values, read_values

__all__ = ["Background", "match_background", "set_background"]

Background = Annotated[Tensor | Batch | str | Path | Values | None, AnyForm()]
"""Reference samples: a tensor, a batch, or the path of a .npy or .safetensors file; None for none."""


def set_background(settings: Any) -> None:
    """Read the field `background` of a frozen object of settings, in place, while the object is made.

    Args:
        settings: Object with a field `background` in any form.

    Raises:
        SettingError: for a background that cannot be read, or is a single number.
    """
    if settings.background is None:
        return
    value = read_values(settings.background, "background")
    if not isinstance(value, Values):
        raise SettingError(f"background is {value}", "give samples shaped like the inputs")
    object.__setattr__(settings, "background", value)


def match_background(background: Background, query: Query, least: int = 1) -> Float[Tensor, "reference *site"]:
    """Convert a background to the dtype, device and valid steps of a sample.

    Args:
        background: Reference samples.
        query: Query for one sample without padding.
        least: Minimum number of references.

    Returns:
        References, cut to the steps of the sample.

    Raises:
        ShapeError: when the shapes do not match.
    """
    assert isinstance(background, Values)
    steps, samples = query.x.shape[1], background.tensor
    cut = samples[:, :steps] if query.mask is not None and samples.ndim > 1 else samples
    if len(cut) < least or cut.shape[1:] != query.x.shape[1:]:
        raise ShapeError(
            f"the background has shape {tuple(samples.shape)} for an input of shape {tuple(query.x.shape[1:])}",
            f"pass at least {least} samples shaped like the inputs, such as training samples",
        )
    return cut.to(query.x)
