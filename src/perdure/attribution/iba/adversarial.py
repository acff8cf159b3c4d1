"""The generative stage as published: a Wasserstein GAN for every single sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._layer import UpToLayer
from perdure.attribution.iba.critic import make_critic
from perdure.attribution.iba.generator import Generator
from perdure.core.precision import full_precision
from perdure.core.query import Query, slice_query
from perdure.core.random import stream
from perdure.ops.information import Mask, mask_from_logits

__all__ = ["train_adversarial"]

EPOCHS, ITEMS, KINDS, BATCH = 20, 200, 10, 32
CRITIC_STEPS = 5
"""Steps of the critic for each of the generator."""

CRITIC_RATE, CLIP = 5e-5, 0.01
SHIFT_RATE, SCALE_RATE = 0.1, 0.05
LOGIT_RATE = {3: 0.03, 4: 0.003}
"""By rank of the inputs: series, images."""

WIDEST, FARTHEST = 5.0, 2.0
"""Ranges of the standard deviation and the mean of the noise that real features are blended with."""


def train_adversarial(
    query: Query,
    layer: str,
    features: Float[Tensor, "batch *neuron"],
    weight: Float[Tensor, "batch *neuron"],
    generator: Generator,
) -> Mask:
    """Learn a generator whose features a critic cannot distinguish from the masked ones, sample by sample.

    Real features are those of the sample, blended with noise of ten means and standard deviations; generated ones are
    the output of the layer for generated inputs. Twenty epochs of seven batches train the critic 140 times and the
    generator 40 times.

    Args:
        query: Query of the inputs.
        layer: Name of the module that returns the features.
        features: Features of the samples.
        weight: Weight of the features in the blend.
        generator: Generator at the start; its tensors are written to.

    Returns:
        The mask of the generator.

    Reference:
        zhang2021inputiba
    """
    for i in range(len(query.x)):
        steps = query.x.shape[1] if query.mask is None else int(query.mask[i].sum())
        logit, shift, scale = (part[i : i + 1, :steps].clone() for part in generator.parameters)
        mine = Generator(logit, shift, scale, generator.noise)
        item = replace(slice_query(query, slice(i, i + 1)), x=query.x[i : i + 1, :steps], mask=None)
        real = _Real(features[i], weight[i]) if query.mask is None else _Real(features[i, :steps], weight[i, :steps])
        _duel(item, layer, real, mine)
        for whole, result in zip(generator.parameters, mine.parameters, strict=True):
            whole[i : i + 1, :steps] = result
    return mask_from_logits(generator.logit)


@dataclass(frozen=True, eq=False)
class _Real:
    """The features of a sample and their weight in the blend.

    Args:
        features: Features of the sample.
        weight: Weight of the features.
    """

    features: Tensor
    weight: Tensor

    def batches(self, generator: torch.Generator) -> Iterator[tuple[int, Tensor]]:
        """Blend features with noise; the noise of a series is drawn once, that of an image for every batch.

        Args:
            generator: the stream of all that is drawn.

        Yields:
            The number of the batch in its epoch, and the blended features.
        """
        kinds = torch.rand(2, KINDS, generator=generator).repeat_interleave(ITEMS // KINDS, 1)
        shape = (ITEMS, *[1] * self.features.ndim)
        shift, scale = ((2 * kinds[0] - 1) * FARTHEST).view(shape), (kinds[1] * WIDEST).view(shape)
        kept = _draw(ITEMS, self.features, generator) if self.features.ndim == 2 else None
        for _ in range(EPOCHS):
            for number, items in enumerate(torch.split(torch.randperm(ITEMS, generator=generator), BATCH)):
                fresh = (
                    torch.randn(len(items), *self.features.shape, generator=generator) if kept is None else kept[items]
                )
                noise = (shift[items] + scale[items] * fresh).to(self.features)
                yield number, self.weight * self.features + (1 - self.weight) * noise


def _duel(query: Query, layer: str, real: _Real, generator: Generator) -> None:
    """Train critic and generator in turn; the tensors of the generator are written to."""
    draws = stream(int(query.seeds[0]), "generator")
    inside = replace(query, model=UpToLayer(query.model, layer))  # type: ignore[arg-type]
    critic = make_critic(real.features, draws)
    critic_optimiser = torch.optim.RMSprop(critic.parameters(), CRITIC_RATE)
    rates = (LOGIT_RATE[query.x.ndim], SHIFT_RATE, SCALE_RATE)
    generator_optimiser = torch.optim.RMSprop(
        [{"params": [p], "lr": r} for p, r in zip(generator.parameters, rates, strict=True)]
    )
    for number, true in real.batches(draws):
        z = _draw(len(true), query.x, draws).to(query.x)
        points = generator.points(query.x, z)
        false = inside.outputs(points)[:, 0]
        _update_critic(true, false, critic, critic_optimiser)
        if number % CRITIC_STEPS == 0:
            slope = inside.pull_back(points, lambda features: full_precision(critic)(features[:, 0]))
            gradient = -slope / len(points)
            for parameter, slope in zip(generator.parameters, generator.pull_back(query.x, z, gradient), strict=True):
                parameter.grad = slope
            generator_optimiser.step()


def _draw(count: int, like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(count, *like.shape, generator=generator)


@full_precision
def _update_critic(true: Tensor, false: Tensor, critic: nn.Module, critic_optimiser: torch.optim.Optimizer) -> None:
    """Take one step of the critic, and keep its weights within bounds."""
    critic_optimiser.zero_grad()
    torch.autograd.backward(critic(false).mean() - critic(true).mean())
    critic_optimiser.step()
    with torch.no_grad():
        for weight in critic.parameters():
            weight.clamp_(-CLIP, CLIP)
