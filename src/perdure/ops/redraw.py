"""Redrawing the parameters of a model, from its output to its input."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from perdure.core.errors import UnsupportedError

__all__ = ["Redraw", "redraw", "stages_of"]

Redraw = Literal["matched", "published"]
"""How parameters are drawn anew."""

DEVIATION = 0.05
"""Standard deviation of a published linear layer's weights."""


def stages_of(model: nn.Module, how: Redraw, count: int | None = None) -> list[list[tuple[str, nn.Parameter]]]:
    """Group the parameters of a model by the module that owns them, the last defined module first.

    Parameters are found by name, so that those of cells with parameters of their own are among them, and shared
    ones appear once.

    Args:
        model: the model.
        how: "published" leaves only convolutions of images and linear layers.
        count: at most so many stages; neighbours are put together. None for one per module.

    Returns:
        For each stage the names and parameters.

    Raises:
        UnsupportedError: when there is nothing to redraw.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        >>> [[name for name, _ in stage] for stage in stages_of(model, "matched")]
        [['2.weight', '2.bias'], ['0.weight', '0.bias']]
    """
    modules = dict(model.named_modules())
    groups: dict[str, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        if how == "matched" or isinstance(modules[owner], nn.Conv2d | nn.Linear):
            groups.setdefault(owner, []).append((name, parameter))
    if not groups:
        wanted = "parameters" if how == "matched" else "Conv2d or Linear layers"
        raise UnsupportedError(
            f"{type(model).__name__} has no {wanted} to redraw",
            "pass a torch.nn.Module with parameters" if how == "matched" else "use redraw='matched'",
        )
    backwards = list(groups.values())[::-1]
    stages = min(count or len(backwards), len(backwards))
    edges = [i * len(backwards) // stages for i in range(stages + 1)]
    return [list(chain.from_iterable(backwards[start:end])) for start, end in pairwise(edges)]


def redraw(parameter: nn.Parameter, how: Redraw, generator: torch.Generator) -> None:
    """Draw a parameter anew, in place; it belongs to a copy that the caller made.

    Args:
        parameter: to be replaced.
        how: "matched" draws from a normal distribution: matrices and kernels around zero with their root mean
            square, vectors such as biases and gains with their mean and deviation, so that what is constant there
            stays. "published" draws kernels as Glorot, matrices with deviation 0.05, and sets biases to zero.
        generator: the stream, on the CPU, so that the draw is the same on any device.
    """
    old = parameter.detach()
    new = _published(old, generator) if how == "published" else _matched(old, generator)
    with torch.no_grad():
        parameter.copy_(new)


def _matched(old: Tensor, generator: torch.Generator) -> Tensor:
    wide = old.double().cpu()
    noise = torch.randn(old.shape, generator=generator, dtype=torch.float64)
    if old.ndim > 1:
        return noise * wide.square().mean().sqrt()
    return wide.mean() + noise * wide.std(correction=0)


def _published(old: Tensor, generator: torch.Generator) -> Tensor:
    new = torch.zeros(old.shape, dtype=torch.float64)
    if old.ndim > 2:
        return nn.init.xavier_uniform_(new, generator=generator)
    return nn.init.normal_(new, std=DEVIATION, generator=generator) if old.ndim == 2 else new
