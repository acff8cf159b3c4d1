"""The generative stage in closed form: generated inputs whose features have the moments of the masked features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._layer import UpToLayer
from perdure.attribution.iba.generator import Generator
from perdure.attribution.iba.noise import draw_noise
from perdure.core.query import Query
from perdure.ops.information import Mask, mask_from_logits

__all__ = ["Features", "match_moments"]

STEPS = 10
COPIES = 10
LEARNING_RATE = 0.3


@dataclass(frozen=True, eq=False)
class Features:
    """The features of a layer after their bottleneck, as independent Gaussians.

    Args:
        mean: Mean of each neuron.
        std: Standard deviation of each neuron.
        scale: Natural standard deviation of the neuron, the unit in which distances count.
    """

    mean: Float[Tensor, "batch *neuron"]
    std: Float[Tensor, "batch *neuron"]
    scale: Float[Tensor, "*neuron"]


def match_moments(query: Query, layer: str, features: Features, generator: Generator) -> Mask:
    r"""Learn a generator whose inputs give features with the moments of the masked features.

    .. math:: W_2^2 = (\mu_G - \mu_Z)^2 + (\sigma_G - \sigma_Z)^2

    is the squared Wasserstein distance of two Gaussians; it is averaged over neurons. Mean and standard deviation of
    the generated features are taken over copies, so nothing adversarial has to be trained.

    Args:
        query: Query of the inputs.
        layer: name of the module that gives the features.
        features: Moments to match.
        generator: Generator at the start; its tensors are written to.

    Returns:
        The mask of the generator.
    """
    adam = torch.optim.Adam(generator.parameters, LEARNING_RATE)
    part_way = replace(query, model=UpToLayer(query.model, layer))  # type: ignore[arg-type]
    for step in range(STEPS):
        z = draw_noise(query, COPIES, f"generator-{step}", paired=True)
        gradient = part_way.pull_back(generator.points(query.x, z), _distance(features))
        for parameter, slope in zip(generator.parameters, generator.pull_back(query.x, z, gradient), strict=True):
            parameter.grad = slope
        adam.step()
    return mask_from_logits(generator.logit)


def _distance(features: Features) -> Callable[[Tensor], Tensor]:
    """Measure the distance of each sample from its copies.

    No sum is taken in an order that depends on how many samples there are, for Adam makes much of a last digit:
    copies lie side by side.
    """

    def distance(copies: Tensor) -> Tensor:
        variance, mean = torch.var_mean(copies.movedim(0, -1).contiguous(), -1)
        # a neuron that is saturated for inputs far from those seen has no variance, where the gradient of a root is NaN
        std = variance.clamp_min(torch.finfo(variance.dtype).tiny).sqrt()
        away = (mean - features.mean).square() + (std - features.std).square()
        return (away / features.scale.square()).flatten(1).mean(1)

    return distance
