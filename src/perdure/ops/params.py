"""Weights of a model as a point: copy, flatten, interpolate, compare and redraw them."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.errors import ShapeError, UnsupportedError

__all__ = [
    "Params",
    "Redraw",
    "check_alike",
    "difference",
    "distance",
    "flatten",
    "group_into_stages",
    "interpolate",
    "params_of",
    "redraw",
    "unflatten",
]

Params = dict[str, Tensor]
"""Weights by name, for `torch.func.functional_call`; running statistics stay in the model."""

Redraw = Literal["matched", "published"]
"""Distribution that parameters are redrawn from."""

STANDARD_DEVIATION = 0.05
"""Standard deviation of a published linear layer's weights."""


def params_of(model: nn.Module) -> Params:
    """Copy the learned weights of a model.

    Args:
        model: Module; its running statistics are no weights.

    Returns:
        Weights without a graph, in the order of `named_parameters`.

    Example:
        >>> list(params_of(nn.BatchNorm1d(3)))
        ['weight', 'bias']
    """
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def flatten(params: Params) -> Float[Tensor, " weight"]:
    """Join all weights into one vector.

    Args:
        params: Weights on one device.

    Returns:
        The values, name by name.
    """
    return torch.cat([weight.flatten() for weight in params.values()])


def unflatten(vector: Float[Tensor, " weight"], like: Params) -> Params:
    """Cut a vector into weights: the inverse of `flatten`.

    Args:
        vector: Values.
        like: Weights that define names, shapes and dtypes.

    Returns:
        Weights that share no memory with `like`.

    Raises:
        ShapeError: When the vector is too short or too long.

    Example:
        >>> unflatten(torch.tensor([1.0, 2.0, 3.0]), {"a": torch.zeros(2), "b": torch.zeros(1, 1)})
        {'a': tensor([1., 2.]), 'b': tensor([[3.]])}
    """
    sizes = [weight.numel() for weight in like.values()]
    if vector.shape != (sum(sizes),):
        raise ShapeError(f"the vector has shape {tuple(vector.shape)}", f"pass a vector of {sum(sizes)} weights")
    parts = vector.split(sizes)
    return {name: part.reshape(w.shape).to(w.dtype) for (name, w), part in zip(like.items(), parts, strict=True)}


def interpolate(first: Params, second: Params, t: float) -> Params:
    """Interpolate linearly between two points; both ends are exact.

    Args:
        first: Weights at t = 0.
        second: Weights at t = 1.
        t: Position between them, from 0 to 1.

    Returns:
        Weights (1 - t) first + t second.

    Raises:
        ShapeError: When the two do not fit.

    Example:
        >>> interpolate({"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])}, 0.25)["w"].item()
        1.5
    """
    check_alike(first, second)
    return {name: torch.lerp(weight, second[name], t) for name, weight in first.items()}


def difference(first: Params, second: Params) -> Float[Tensor, " weight"]:
    """Subtract one point from another, in double precision.

    Args:
        first: Start of the difference.
        second: End of the difference.

    Returns:
        The vector from first to second.

    Raises:
        ShapeError: When the two do not fit.
    """
    check_alike(first, second)
    return flatten({name: second[name].double() - weight.double() for name, weight in first.items()})


def distance(first: Params, second: Params, order: float = 2.0) -> float:
    """Measure the distance of two points.

    Args:
        first: Weights of one model.
        second: Weights of another model.
        order: Order of the norm: 2 for the Euclidean distance, 1 for the sum, infinity for the largest change of a
            weight.

    Returns:
        The norm of the difference.

    Raises:
        ShapeError: When the two do not fit.

    Example:
        >>> distance({"a": torch.tensor([0.0, 3.0])}, {"a": torch.tensor([4.0, 0.0])})
        5.0
    """
    return float(torch.linalg.vector_norm(difference(first, second), order))


def check_alike(first: Params, second: Params) -> None:
    """Check that two points have the same names and shapes.

    Args:
        first: Weights of one model.
        second: Weights of another model.

    Raises:
        ShapeError: Otherwise.
    """
    shapes = [{name: tuple(weight.shape) for name, weight in params.items()} for params in (first, second)]
    if shapes[0] != shapes[1]:
        odd = sorted(dict(shapes[0].items() ^ shapes[1].items()))
        raise ShapeError(
            f"the weights differ in name or shape, first at {odd[0]!r}", "give weights of models of one architecture"
        )


def group_into_stages(model: nn.Module, how: Redraw, count: int | None = None) -> list[list[tuple[str, nn.Parameter]]]:
    """Group the parameters of a model by the module that owns them, the last defined module first.

    Parameters are found by name, so that those of cells without a submodule are included, and shared ones appear
    once.

    Args:
        model: Model.
        how: Distribution; "published" keeps only convolutions of images and linear layers.
        count: Maximum number of stages; neighbours are merged. None for one stage per module.

    Returns:
        For each stage the names and parameters.

    Raises:
        UnsupportedError: When there is nothing to redraw.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        >>> [[name for name, _ in stage] for stage in group_into_stages(model, "matched")]
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
    """Redraw a parameter in place; it belongs to a copy that the caller made.

    Args:
        parameter: Parameter to redraw.
        how: Distribution: "matched" draws from a normal distribution: matrices and kernels around zero with their
            root mean square, vectors such as biases and gains with their mean and standard deviation, so that what is
            constant there stays. "published" draws kernels as Glorot, matrices with standard deviation 0.05, and sets
            biases to zero.
        generator: Random stream, on the CPU, so that the draw is the same on any device.
    """
    old = parameter.detach()
    new = _draw_published(old, generator) if how == "published" else _draw_matched(old, generator)
    with torch.no_grad():
        parameter.copy_(new)


def _draw_matched(old: Tensor, generator: torch.Generator) -> Tensor:
    wide = old.double().cpu()
    noise = torch.randn(old.shape, generator=generator, dtype=torch.float64)
    if old.ndim > 1:
        return noise * wide.square().mean().sqrt()
    return wide.mean() + noise * wide.std(correction=0)


def _draw_published(old: Tensor, generator: torch.Generator) -> Tensor:
    new = torch.zeros(old.shape, dtype=torch.float64)
    if old.ndim > 2:
        return nn.init.xavier_uniform_(new, generator=generator)
    return nn.init.normal_(new, std=STANDARD_DEVIATION, generator=generator) if old.ndim == 2 else new
