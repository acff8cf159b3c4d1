"""Backgrounds: sets of reference samples."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import ShapeError
from perdure.core.query import Query

__all__ = ["match_background"]


def match_background(
    background: Float[Tensor, "reference *site"], query: Query, least: int = 1
) -> Float[Tensor, "reference *site"]:
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
    steps = query.x.shape[1]
    cut = background[:, :steps] if query.mask is not None and background.ndim > 1 else background
    if len(cut) < least or cut.shape[1:] != query.x.shape[1:]:
        raise ShapeError(
            f"the background has shape {tuple(background.shape)} for an input of shape {tuple(query.x.shape[1:])}",
            f"pass at least {least} samples shaped like the inputs, such as training samples",
        )
    return cut.detach().to(query.x)
