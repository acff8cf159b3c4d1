"""Processes that carry planted signals."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["narma", "place_ranges"]

Coefficients = tuple[float, float, float, float]


def narma(
    draws: Float[Tensor, "*series draw"],
    order: int,
    *,
    nonlinear: bool = True,
    coefficients: Coefficients = (0.3, 0.05, 1.5, 0.1),
) -> Float[Tensor, "*series time"]:
    r"""Run a nonlinear autoregressive moving average process.

    .. math:: y_{k+1} = c_1 y_k + c_2 \, y_k \sum_{i<n} y_{k-i} + c_3 \, u_{k-n+1} u_k + c_4

    The implementation that published datasets use computes no sum, and shifts the product by one step:
    :math:`y_k = c_1 y_{k-1} + c_3 u_{k-n} u_k + c_4`.

    Args:
        draws: Uniform numbers in [0, 1) for the steps and the `order` ones before; u is half of them.
        order: Steps n that the process depends on.
        nonlinear: Whether to compute the documented process; else that of the implementation.
        coefficients: The four constants.

    Returns:
        The series, which begins at zero after the first `order` draws.

    Example:
        >>> narma(torch.zeros(13), 10, nonlinear=False).tolist()
        [0.0, 0.10000000149011612, 0.12999999523162842]
    """
    first, second, third, fourth = coefficients
    inputs = (draws / 2).unbind(-1)
    series = [torch.zeros_like(inputs[0])]
    for k in range(1, len(inputs) - order):
        now = k + order
        if nonlinear:
            memory = torch.stack(series[-order:]).sum(0)
            product = inputs[now - order] * inputs[now - 1]
            value = first * series[-1] + second * series[-1] * memory + third * product + fourth
        else:
            value = first * series[-1] + third * inputs[now - order] * inputs[now] + fourth
        series.append(value)
    return torch.stack(series, -1)


def place_ranges(start: Int[Tensor, " sample"], length: Int[Tensor, " sample"], steps: int) -> tuple[Tensor, Tensor]:
    """Mark a range of steps of each sample, and number its steps.

    Args:
        start: First step.
        length: Number of steps.
        steps: Steps of a series.

    Returns:
        True inside, and the number of each step after the first, both (sample, time).

    Example:
        >>> inside, after = place_ranges(torch.tensor([1]), torch.tensor([2]), 4)
        >>> inside.int().tolist(), after.tolist()
        ([[0, 1, 1, 0]], [[-1, 0, 1, 2]])
    """
    after = torch.arange(steps) - start[:, None]
    return (after >= 0) & (after < length[:, None]), after
