"""The weights of a network as one point: take them off, join them, measure between them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.errors import ShapeError

__all__ = ["Params", "check_alike", "difference", "distance", "flatten", "interpolate", "params_of", "unflatten"]

Params = dict[str, Tensor]
"""Weights by name, for `torch.func.functional_call`; what is estimated rather than learned stays in the model."""


def params_of(model: nn.Module) -> Params:
    """Copy the learned weights of a model.

    Args:
        model: any module; its running statistics are no weights.

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
        params: weights on one device.

    Returns:
        The values, name by name.
    """
    return torch.cat([weight.flatten() for weight in params.values()])


def unflatten(vector: Float[Tensor, " weight"], like: Params) -> Params:
    """Cut a vector into weights: the inverse of `flatten`.

    Args:
        vector: the values.
        like: gives names, shapes and dtypes.

    Returns:
        Weights that share no memory with `like`.

    Raises:
        ShapeError: when the vector is too short or too long.

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
    """Go a share of the straight way from one point to another; both ends are met exactly.

    Args:
        first: where t is 0.
        second: where t is 1.
        t: the share.

    Returns:
        Weights (1 - t) first + t second.

    Raises:
        ShapeError: when the two do not fit.

    Example:
        >>> interpolate({"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])}, 0.25)["w"].item()
        1.5
    """
    check_alike(first, second)
    return {name: torch.lerp(weight, second[name], t) for name, weight in first.items()}


def difference(first: Params, second: Params) -> Float[Tensor, " weight"]:
    """Subtract one point from another, in double precision.

    Args:
        first: where the difference starts.
        second: where it ends.

    Returns:
        The vector from first to second.

    Raises:
        ShapeError: when the two do not fit.
    """
    check_alike(first, second)
    return flatten({name: second[name].double() - weight.double() for name, weight in first.items()})


def distance(first: Params, second: Params, order: float = 2.0) -> float:
    """Measure how far two points are apart.

    Args:
        first: a point.
        second: another.
        order: of the norm: 2 for the Euclidean distance, 1 for the sum, infinity for the largest change of a weight.

    Returns:
        The norm of the difference.

    Raises:
        ShapeError: when the two do not fit.

    Example:
        >>> distance({"a": torch.tensor([0.0, 3.0])}, {"a": torch.tensor([4.0, 0.0])})
        5.0
    """
    return float(torch.linalg.vector_norm(difference(first, second), order))


def check_alike(first: Params, second: Params) -> None:
    """Check that two points have the same names and shapes.

    Args:
        first: a point.
        second: another.

    Raises:
        ShapeError: otherwise.
    """
    shapes = [{name: tuple(weight.shape) for name, weight in params.items()} for params in (first, second)]
    if shapes[0] != shapes[1]:
        odd = sorted(dict(shapes[0].items() ^ shapes[1].items()))
        raise ShapeError(
            f"the weights differ in name or shape, first at {odd[0]!r}", "give weights of models of one architecture"
        )
