"""Backgrounds: the samples that an input is compared with."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import ShapeError
from perdure.core.query import Query

__all__ = ["background_of"]


def background_of(
    background: Float[Tensor, "reference *site"], query: Query, least: int = 1
) -> Float[Tensor, "reference *site"]:
    """Bring a background to the dtype, device and valid steps of one sample.

    Args:
        background: given samples.
        query: about one sample without padding.
        least: how many references are needed.

    Returns:
        The references, cut to the steps of the sample.

    Raises:
        ShapeError: when the shapes do not fit.
    """
    steps = query.x.shape[1]
    cut = background[:, :steps] if query.mask is not None and background.ndim > 1 else background
    if len(cut) < least or cut.shape[1:] != query.x.shape[1:]:
        raise ShapeError(
            f"the background has shape {tuple(background.shape)} for an input with sites {tuple(query.x.shape[1:])}",
            f"pass at least {least} samples shaped like the inputs, such as some of those the model was trained on",
        )
    return cut.detach().to(query.x)
