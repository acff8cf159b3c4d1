"""Moments of the inputs and of one layer, which define natural noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._layer import UpToLayer, find_layer
from perdure.attribution.iba.noise import Noise
from perdure.attribution.iba.trunk import choose_layer
from perdure.core.batch import Batch, split_batch
from perdure.core.errors import EmptyDataError, ShapeError, UnsupportedError
from perdure.core.forward import evaluation, side_inputs
from perdure.core.resources import row_limit
from perdure.ops.moments import Moments, merge_moments, moments_of
from perdure.ops.sequence import lengths_of, site_mask

__all__ = ["LayerMoments", "fit_input_moments", "fit_layer_moments", "noise_from_moments", "require_fitted"]

Fitted = TypeVar("Fitted")

SAMPLES = 64
"""Most samples in one call of the model; fewer where the rows of a call are bounded or samples are large."""

FEW = 100
"""Samples below which the positions of an image have the same moments: those of one position are too uncertain."""

SMALLEST_STD = 0.01
ACTIVE = 0.01
"""A neuron takes part when it is not zero for more than this fraction of samples."""


@dataclass(frozen=True, eq=False)
class LayerMoments:
    """The moments of what a layer gives.

    Args:
        layer: name of the module.
        activations: moments of its output.
    """

    layer: str
    activations: Moments

    def noise(self, z: Float[Tensor, "batch *neuron"]) -> Noise:
        """Make noise like the activations.

        Args:
            z: activations, for dtype, device and shape.

        Returns:
            Noise with their mean and standard deviation; neurons that are nearly always zero stay out.

        Raises:
            ShapeError: when the layer gave another shape when it was fitted.
        """
        return noise_from_moments(self.activations, z, f"layer '{self.layer}'")


def noise_from_moments(moments: Moments, like: Float[Tensor, "batch *site"], place: str) -> Noise:
    """Make noise of given moments.

    Args:
        moments: Moments of a layer, or of the inputs.
        like: gives dtype, device and shape.
        place: Name in the error.

    Returns:
        The noise; standard deviations are at least 0.01.

    Raises:
        ShapeError: when the moments have another shape.
    """
    try:
        torch.broadcast_to(moments.mean, like.shape[1:])
    except RuntimeError as error:
        raise ShapeError(
            f"{place} has shape {tuple(like.shape[1:])}, but {tuple(moments.mean.shape)} when the method was fitted",
            "fit on samples of the same size as those that are explained",
        ) from error
    std = moments.std.clamp_min(SMALLEST_STD)
    active = (moments.active > ACTIVE).double()
    return Noise(*(part.to(like) for part in (moments.mean, std, active)))


def fit_input_moments(batch: Batch) -> Moments:
    """Take the moments of inputs.

    Args:
        batch: the samples.

    Returns:
        Their moments; padding is not counted.

    Raises:
        EmptyDataError: for fewer than two samples.
    """
    _check_two(batch)
    return merge_moments(
        [moments_of(part.inputs, site_mask(part.mask, part.inputs)) for part in split_batch(batch, SAMPLES)]
    )


def fit_layer_moments(model: nn.Module, layer: str | None, batch: Batch) -> LayerMoments:
    """Take the moments of a layer over samples, part by part.

    Args:
        model: Model that will be explained.
        layer: Name of a module; None for the nearest to 60 % of the way that has no bypass.
        batch: Samples.

    Returns:
        The moments: for each channel and position of images, for each channel with fewer than 100 samples, and for
        each feature of series.

    Raises:
        EmptyDataError: for fewer than two samples.
        UnknownNameError: when there is no such layer.
        UnsupportedError: when the layer gives no tensor, or does not run.

    Example:
        >>> from torch import nn
        >>> batch = Batch(torch.tensor([[1.0], [3.0]]), torch.tensor([0, 1]))
        >>> fit_layer_moments(nn.Sequential(nn.Flatten(), nn.Linear(1, 2)), "0", batch).activations.mean.item()
        2.0
    """
    _check_two(batch)
    if layer is not None:
        find_layer(model, layer)
    rows = min(SAMPLES, row_limit(batch.inputs))
    layer = choose_layer(model, layer, next(split_batch(batch, rows)))
    parts = [_moments(model, layer, part, len(batch) < FEW) for part in split_batch(batch, rows)]
    return LayerMoments(layer, merge_moments(parts))


def require_fitted(fitted: Fitted | None, method: str) -> Fitted:
    """Check that a method was fitted.

    Args:
        fitted: Result of `fit`; None before.
        method: its name.

    Returns:
        What it saw.

    Raises:
        UnsupportedError: when it saw nothing.
    """
    if fitted is None:
        raise UnsupportedError(
            f"method '{method}' has not seen any data, so it does not know what noise is natural for the model",
            f"fit it first: method = perdure.METHODS.make('{method}').fit(model, batch)",
        )
    return fitted


def _check_two(batch: Batch) -> None:
    if len(batch) < 2:
        raise EmptyDataError(
            "one sample has no standard deviation, and the noise of a bottleneck needs one",
            "fit on at least two samples; a thousand are usual",
        )


def _moments(model: nn.Module, layer: str, batch: Batch, shared: bool) -> Moments:
    with evaluation(model), torch.no_grad():
        lengths = lengths_of(batch.mask)
        z = UpToLayer(model, layer)(batch.inputs, lengths, **side_inputs(model, batch.inputs, lengths))
    mask = batch.mask if z.ndim == 3 and batch.mask is not None and z.shape[1] == batch.mask.shape[1] else None
    if shared and z.ndim == 4:
        z = z.movedim(1, -1).flatten(0, 2)[..., None, None]
    return moments_of(z, site_mask(mask, z))
