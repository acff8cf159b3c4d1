"""Noise that replaces the information of an input: Gaussian, or values of the same feature in other samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.errors import ShapeError
from perdure.core.precision import widen
from perdure.core.query import Query
from perdure.core.random import child_seeds, normal, uniform

__all__ = ["MarginalNoise", "Noise", "draw_noise", "feature_quantiles", "marginal_noise", "target_drop"]

DROP_COPIES = 8
"""Draws of noise for the target drop."""

QUANTILES = 1024
"""Stored values of each feature."""

VALUES = 2**16
"""Values of each feature, at most, from which quantiles are taken."""

SMALLEST_RATIO = 0.01
"""Smallest standard deviation of a feature, as a multiple of the root mean square over all features."""


@dataclass(frozen=True, eq=False)
class Noise:
    """Gaussian noise that replaces what is dropped.

    Args:
        mean: Mean of the noise, which broadcasts with a sample.
        std: Standard deviation of the noise, above 0, which broadcasts with a sample.
        active: 1 at elements that take part, 0 at elements that are nearly always zero and stay so; broadcasts.
    """

    mean: Float[Tensor, "*site"]
    std: Float[Tensor, "*site"]
    active: Float[Tensor, "*site"]

    def draw(self, query: Query, copies: int, name: str, *, paired: bool = True) -> Float[Tensor, "copies batch *site"]:
        """Draw noise for each sample from its own seed.

        Args:
            query: Query with the seeds and the shape.
            copies: Number of draws for each sample.
            name: Name of the stream.
            paired: Whether every second copy mirrors the one before it.

        Returns:
            Noise in the units of the inputs.
        """
        return self.mean + self.std * draw_noise(query, copies, name, paired)


@dataclass(frozen=True, eq=False)
class MarginalNoise(Noise):
    """Noise whose values are drawn independently from the values of the same feature in other samples.

    Args:
        values: Equally likely values of each feature in ascending order, (quantile, feature); a feature is a channel
            of images.
    """

    values: Float[Tensor, "quantile feature"]

    def draw(self, query: Query, copies: int, name: str, *, paired: bool = True) -> Float[Tensor, "copies batch *site"]:
        """Draw values of the same feature for each sample from its own seed.

        Args:
            query: Query with the seeds and the shape.
            copies: Number of draws for each sample.
            name: Name of the stream.
            paired: Whether every second copy has the mirrored ranks of the one before it.

        Returns:
            Noise in the units of the inputs.
        """
        first, *rest = query.x.shape[1:]
        count = -(-copies // 2) if paired else copies
        like = torch.zeros((), dtype=torch.float32, device=query.x.device)
        rank = uniform(child_seeds(query.seeds, name), (first, count, *rest), like).movedim(2, 0)
        index = (rank * len(self.values)).long().clamp_max(len(self.values) - 1)
        if paired:
            index = torch.stack([index, len(self.values) - 1 - index], 1).flatten(0, 1)[:copies]
        features = self.values.shape[1]
        feature = torch.arange(features, device=index.device).view(_feature_shape(query.x))
        return self.values.flatten()[index * features + feature]


def draw_noise(query: Query, copies: int, name: str, paired: bool) -> Float[Tensor, "copies batch *site"]:
    """Draw standard normal noise for each sample from its own seed; more steps do not change the noise of the first.

    Args:
        query: Query with the seeds and the shape.
        copies: Number of draws for each sample.
        name: Name of the stream.
        paired: Whether every second copy is the one before it, negated.

    Returns:
        The noise.
    """
    first, *rest = query.x.shape[1:]
    count = -(-copies // 2) if paired else copies
    noise = normal(child_seeds(query.seeds, name), (first, count, *rest), query.x).movedim(2, 0)
    return torch.stack([noise, -noise], 1).flatten(0, 1)[:copies] if paired else noise


def feature_quantiles(
    x: Float[Tensor, "batch *site"], valid: Bool[Tensor, "batch *site"]
) -> Float[Tensor, "quantile feature"]:
    """Take equally likely values of each feature, over all samples and positions.

    Args:
        x: Samples: a table, series or images, whose features are their channels.
        valid: True at values that are not padding.

    Returns:
        Values in ascending order, at most 1024 of each feature, from at most 65,536 of its values.

    Example:
        >>> x = torch.tensor([[[1.0], [3.0]], [[2.0], [9.0]]])
        >>> feature_quantiles(x, x < 5).flatten().tolist()
        [1.0, 2.0, 3.0]
    """
    axis = _feature_axis(x)
    rows = widen(x).movedim(axis, -1).reshape(-1, x.shape[axis])
    rows = rows[valid.movedim(axis, -1).reshape(-1, x.shape[axis]).all(1)]
    ordered = rows[:: -(-len(rows) // VALUES)].sort(0).values
    count = min(QUANTILES, len(ordered))
    middle = (torch.arange(count, device=x.device) + 0.5) * (len(ordered) / count)
    return ordered[middle.long().clamp_max(len(ordered) - 1)]


def marginal_noise(
    values: Float[Tensor, "quantile feature"], x: Float[Tensor, "batch *site"], place: str
) -> MarginalNoise:
    """Make noise from the values of each feature.

    Args:
        values: Values from `feature_quantiles`.
        x: Inputs with the dtype, device and shape of the noise.
        place: Name of the inputs in the error.

    Returns:
        Noise with the mean and standard deviation of the values; a feature that is constant has a hundredth of the
        standard deviation of the others.

    Raises:
        ShapeError: If the inputs have another number of features.
    """
    axis = _feature_axis(x)
    if values.shape[1] != x.shape[axis]:
        raise ShapeError(
            f"{place} has {x.shape[axis]} features, but {values.shape[1]} when the method was fitted",
            "fit on samples with the same features as those that are explained",
        )
    std, mean = torch.std_mean(values.double(), 0, correction=0)
    scale = std.square().mean().sqrt()
    std = std.clamp_min(SMALLEST_RATIO * scale) if scale > 0 else torch.ones_like(std)
    mean, std = (moment.to(x).view(_feature_shape(x)) for moment in (mean, std))
    return MarginalNoise(mean, std, x.new_ones(()), values.to(x))


def target_drop(values: Float[Tensor, "copies batch"]) -> Float[Tensor, " batch"]:
    """Measure how far the target at the inputs is from the target at noise, root mean square.

    Args:
        values: Target at the inputs, followed by the target at each draw of noise.

    Returns:
        The drop of each sample in double precision.

    Example:
        >>> target_drop(torch.tensor([[5.0], [2.0], [8.0]])).tolist()
        [3.0]
    """
    values = values.double()
    return (values[0] - values[1:]).square().mean(0).sqrt()


def _feature_axis(x: Tensor) -> int:
    """Find the axis of features: the last one of a table or series, the channels of images and volumes."""
    return 2 if x.ndim == 3 else 1


def _feature_shape(x: Tensor) -> tuple[int, ...]:
    """Return the shape in which one number per feature broadcasts with a sample."""
    return (-1, *[1] * (x.ndim - 1 - _feature_axis(x)))
