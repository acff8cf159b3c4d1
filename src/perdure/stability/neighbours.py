"""Neighbours of given weights: networks near a checkpoint with about its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from types import MappingProxyType

import torch
from torch import nn

from perdure.core.batch import Batch, slice_batch
from perdure.core.check import check_choice, check_counts
from perdure.core.copy import copy_module
from perdure.core.device import device_of
from perdure.core.errors import UnsupportedError
from perdure.core.random import stream
from perdure.core.resources import single_thread
from perdure.data._splits import Splits
from perdure.landscape.surface import ModelLoss
from perdure.models.factory import own_random_state
from perdure.ops.params import Params, interpolate, params_of, redraw
from perdure.training.batches import BatchSource, draw_batches
from perdure.training.loop import fit
from perdure.training.predict import accuracy
from perdure.training.settings import CLEAN, Training

__all__ = ["KINDS", "Neighbour", "draw_neighbours", "drop_weights", "find_scale", "initialise", "multiply_by_noise"]

TOLERANCE = 0.1
"""Largest increase of the held-out loss, in nats, at which a neighbour has about the loss of the given weights."""

DROP = 0.01
"""Largest decrease of the held-out accuracy at which it has about the accuracy of the given weights."""

HELD_OUT = 1000
"""Largest number of held-out samples for loss and accuracy."""

KEPT = 0.2
"""Fraction of the given weights after shrinking them."""

TUNING = 100
"""Number of optimiser steps of fine-tuning."""

RECOVERY = 300
"""Number of optimiser steps after weights were shrunk and perturbed."""

RETRAINING = 1000
"""Largest number of optimiser steps of a short retraining."""

CHECKS = 5
"""Number of checks on the held-out samples in 100 steps; the best weights are kept."""

PATIENCE = 10
"""Number of checks without a better one after which training ends."""

FINEST = 1.05
"""Ratio of two scales at which the bisection ends."""

Perturb = Callable[[Params, float, torch.Generator], Params]
"""From weights, a scale and a generator to perturbed weights."""


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A network near the given one.

    Args:
        model: Network in evaluation mode.
        loss: Its mean loss on held-out samples, in nats.
        accuracy: Its accuracy on these samples.
        is_equal: Whether its loss or accuracy is about that of the given network.
    """

    model: nn.Module
    loss: float
    accuracy: float
    is_equal: bool


def draw_neighbours(
    kind: str, model: nn.Module, splits: Splits, seed: int, count: int = 4, training: Training = CLEAN
) -> tuple[Neighbour, ...]:
    """Draw neighbours of the weights of a model; the model is not modified.

    Kinds:

    - "noise": each weight is multiplied by 1 + s e with a standard normal e. One s per neighbour, found by bisection,
      brings the held-out loss to 0.1 nats above that of the model;
    - "dropout": entries of weight matrices are set to zero with a probability found in the same way;
    - "fine_tuning": 100 optimiser steps from the given weights with samples in another order;
    - "shrink_and_perturb": 300 steps from 0.2 times the given weights plus 0.8 times newly initialised ones;
    - "short_retraining": up to 1000 steps from newly initialised weights, fewer when the held-out loss stays.

    Weights that do not require gradients, as those of a frozen encoder, stay. Statistics of batch normalisation are
    estimated again, on the held-out samples.

    Args:
        kind: One of `KINDS`.
        model: Trained classifier.
        splits: Training samples for the steps, and validation samples, of which up to 1000 are the held-out ones.
        seed: Seed for all random draws.
        count: Number of neighbours.
        training: Batch size, learning rate, weight decay and clipping of the steps.

    Returns:
        The neighbours. Those without `is_equal`, which lie more than 0.1 nats and more than one point of accuracy
        below the model, are other models.

    Raises:
        SettingError: For an unknown kind.
        UnsupportedError: If the model cannot be trained or returns numbers.

    Reference:
        hsu2024dropout, ash2020warm

    Example:
        >>> x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        >>> batch = Batch(x, (x[:, 0] > 0).long())
        >>> model = nn.Linear(2, 2)
        >>> _ = model.load_state_dict({"weight": torch.tensor([[-9.0, 0.0], [9.0, 0.0]]), "bias": torch.zeros(2)})
        >>> made = draw_neighbours("noise", model, Splits(batch, batch, batch, ("-", "+")), seed=0, count=2)
        >>> [neighbour.is_equal for neighbour in made]
        [True, True]
    """
    check_choice("kind", kind, tuple(KINDS))
    check_counts(count=count)
    if not _find_trainable(model):
        raise UnsupportedError(
            f"{type(model).__name__} has no weights that can be trained", "set requires_grad on its parameters"
        )
    held_out = slice_batch(splits.validation, slice(0, HELD_OUT))
    surface = ModelLoss(model, replace(held_out, truth=None, event=None, text=()))
    draw = partial(KINDS[kind], surface, splits.train, training)
    with single_thread():
        given = _measure(surface, params_of(model))
        return tuple(_compare(_measure(surface, draw(stream(seed, kind, k))), given) for k in range(count))


def multiply_by_noise(params: Params, scale: float, generator: torch.Generator) -> Params:
    """Multiply each weight by 1 + scale e with a standard normal e.

    Args:
        params: Weights; not modified.
        scale: Standard deviation of the factors.
        generator: Generator of the noise, on the CPU.

    Returns:
        The perturbed weights.

    Example:
        >>> multiply_by_noise({"a": torch.tensor([0.0, 2.0])}, 0.0, torch.Generator())["a"].tolist()
        [0.0, 2.0]
    """
    return {
        name: weight * (1 + scale * torch.randn(weight.shape, generator=generator).to(weight))
        for name, weight in params.items()
    }


def drop_weights(params: Params, rate: float, generator: torch.Generator) -> Params:
    """Set entries of weight matrices and kernels to zero; vectors, such as biases and gains, stay.

    Args:
        params: Weights; not modified.
        rate: Probability of zero.
        generator: Generator of the draw, on the CPU.

    Returns:
        The perturbed weights.

    Reference:
        hsu2024dropout

    Example:
        >>> drop_weights({"a": torch.ones(1, 2), "b": torch.ones(1)}, 1.0, torch.Generator())
        {'a': tensor([[0., 0.]]), 'b': tensor([1.])}
    """
    return {
        name: weight if weight.ndim < 2 else weight * (torch.rand(weight.shape, generator=generator) >= rate).to(weight)
        for name, weight in params.items()
    }


def find_scale(loss: Callable[[float], float], limit: float, largest: float) -> float:
    """Find the largest scale of a perturbation at which the loss is within a limit, by bisection of its logarithm.

    Args:
        loss: Loss at a scale, which rises with it.
        limit: Limit of the loss.
        largest: Largest scale to try; the smallest is a ten-thousandth of it.

    Returns:
        The scale; 0 where even the smallest is too large.

    Example:
        >>> 0.45 < find_scale(lambda scale: scale**2, limit=0.25, largest=4.0) <= 0.5
        True
    """
    if loss(largest) <= limit:
        return largest
    low, high = largest / 10_000, largest
    if loss(low) > limit:
        return 0.0
    while high / low > FINEST:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if loss(middle) <= limit else (low, middle)
    return low


def _perturb_at_loss(
    perturb: Perturb,
    largest: float,
    surface: ModelLoss,
    _train: Batch,
    _training: Training,
    generator: torch.Generator,
) -> Params:
    """Perturb the weights as far as the tolerance of the loss allows; all scales use the same draw."""
    params, start = _find_trainable(surface.model), generator.get_state()

    def perturb_by(scale: float) -> Params:
        generator.set_state(start)
        return perturb(params, scale, generator)

    def loss(scale: float) -> float:
        value = surface.losses(perturb_by(scale)).mean().item()
        return value if value == value else torch.inf  # NaN of exploded weights

    limit = surface.losses(params).mean().item() + TOLERANCE
    return perturb_by(find_scale(loss, limit, largest))


def initialise(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Copy a model with new first weights, by the `reset_parameters` of its modules.

    Weights without such a method are drawn from a normal distribution with their root mean square; those that do not
    require gradients stay.

    Args:
        model: Model; not modified.
        generator: Generator of the weights.

    Returns:
        The copy.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> bool((initialise(model, torch.Generator()).weight == model.weight).any())
        False
    """
    result = copy_module(model).cpu()  # where the generator is
    with own_random_state(generator):
        for module in reversed(list(result.modules())):  # a module may overrule those in it
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset(**({"generator": generator} if "generator" in signature(reset).parameters else {}))
    given = {name: weight.cpu() for name, weight in params_of(model).items()}
    for name, weight in result.named_parameters():
        if not weight.requires_grad:
            weight.detach().copy_(given[name])
        elif torch.equal(weight.detach(), given[name]):
            redraw(weight, "matched", generator)
    return result.to(device_of(model))


def _train_from(
    kept: float, steps: int, surface: ModelLoss, train: Batch, training: Training, generator: torch.Generator
) -> Params:
    """Train from a mixture of the given weights and new ones, and keep the best weights."""
    model = surface.model
    if kept < 1:
        model, given = initialise(model, generator), params_of(model)
        model.load_state_dict(interpolate(params_of(model), given, kept), strict=False)
    source = _draw_steps(train, training.batch_size)
    settings = replace(
        training,
        epochs=steps // source.steps,
        check_every=source.steps // CHECKS,
        schedule="constant",
        patience=PATIENCE,
        stop_at=None,
    )
    return params_of(fit(model, source, surface.batch, settings, generator).model)


def _find_trainable(model: nn.Module) -> Params:
    """Copy the weights that require gradients."""
    given = params_of(model)
    return {name: given[name] for name, weight in model.named_parameters() if weight.requires_grad}


def _draw_steps(train: Batch, size: int) -> BatchSource:
    """Draw the samples of 100 steps at a time."""
    plain = replace(train, truth=None, event=None, text=())

    def draw(count: int, generator: torch.Generator) -> Batch:
        return slice_batch(plain, torch.randint(len(plain), (count,), generator=generator))

    return draw_batches(draw, size, TUNING)


def _measure(surface: ModelLoss, params: Params) -> Neighbour:
    model, loss = surface.model_at(params), surface.losses(params).mean().item()
    return Neighbour(model, loss, accuracy(model, surface.batch), is_equal=True)


def _compare(neighbour: Neighbour, given: Neighbour) -> Neighbour:
    is_equal = neighbour.loss <= given.loss + 1.01 * TOLERANCE or neighbour.accuracy >= given.accuracy - DROP
    return replace(neighbour, is_equal=is_equal)


Draw = Callable[[ModelLoss, Batch, Training, torch.Generator], Params]

KINDS: Mapping[str, Draw] = MappingProxyType(
    {
        "noise": partial(_perturb_at_loss, multiply_by_noise, 10.0),
        "dropout": partial(_perturb_at_loss, drop_weights, 1.0),
        "fine_tuning": partial(_train_from, 1.0, TUNING),
        "shrink_and_perturb": partial(_train_from, KEPT, RECOVERY),
        "short_retraining": partial(_train_from, 0.0, RETRAINING),
    }
)
"""How a neighbour is drawn, by name."""
