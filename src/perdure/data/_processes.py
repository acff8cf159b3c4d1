"""Processes that carry planted signals."""

from __future__ import annotations

from math import pi, sqrt
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.data._box_places import SIZE
from perdure.data._generated import draw_normal, draw_order, draw_uniform

__all__ = ["Process", "draw_process", "narma", "place_ranges"]

Process = Literal["box", "harmonic", "gaussian_process", "pseudo_periodic", "autoregressive", "continuous", "narma"]
"""Processes of the temporal benchmark: "continuous" is the autoregressive process in continuous time."""

HORIZON, GRID, JITTER = 20.0, 100, 0.2
"""Regular times that irregular ones are chosen from, and the standard deviation that moves them."""

MEMORY = 10
"""Order of the process "narma"."""

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


def draw_process(
    process: Process, seeds: Int[Tensor, " sample"], *, published: bool
) -> Float[Tensor, "sample time feature"]:
    """Draw a process of the temporal benchmark for each feature, at the irregular times of each sample.

    Args:
        process: Name of the process, but not "box".
        seeds: Seed of each sample.
        published: Whether "narma" is that of the published implementation, with one random input for all.

    Returns:
        The series.
    """
    if process == "narma":
        draws = draw_uniform(torch.zeros_like(seeds) if published else seeds, "process", SIZE, SIZE + MEMORY)
        draws = draws[:, :1].expand_as(draws) if published else draws
        return narma(draws, MEMORY, nonlinear=not published).transpose(1, 2)
    times = draw_times(seeds)[..., None]
    noise = draw_normal(seeds, "process", SIZE, SIZE)
    if process == "harmonic":
        return torch.sin(2 * pi * 2.0 * times).expand_as(noise)
    if process == "pseudo_periodic":
        frequency = 2.0 + 0.01 * draw_normal(seeds, "frequency", SIZE, SIZE)
        return (1.0 + 0.5 * noise) * torch.sin(frequency * times)
    if process == "gaussian_process":
        return _matern_factor(times) @ noise
    if process == "autoregressive":
        return _run_recursion(torch.full_like(times, 0.9), 0.5 * noise, 0.0)
    keep = 0.9 ** times.diff(dim=1, prepend=torch.zeros_like(times[:, :1]))
    return _run_recursion(keep, 0.01 * (1 - keep).clamp_min(0).sqrt() * noise, 0.01)


def draw_times(seeds: Int[Tensor, " sample"]) -> Float[Tensor, "sample time"]:
    """Draw irregular times: half of a regular grid, moved at random.

    Args:
        seeds: Seed of each sample.

    Returns:
        Ascending times.
    """
    chosen = draw_order(seeds, "times", GRID)[:, :SIZE]
    regular = torch.linspace(0, HORIZON, GRID, dtype=torch.float64)[chosen]
    return (regular + JITTER * draw_normal(seeds, "jitter", SIZE)).sort(1).values


def _matern_factor(times: Float[Tensor, "sample time 1"]) -> Float[Tensor, "sample time time"]:
    """Return the Cholesky factor of a Matern covariance of smoothness 3/2, length 1 and variance 1."""
    distance = sqrt(3) * (times - times.transpose(1, 2)).abs()
    covariance = (1 + distance) * torch.exp(-distance)
    nugget = 1e-9 * torch.eye(SIZE, dtype=covariance.dtype)  # times may nearly coincide
    return torch.linalg.cholesky(covariance + nugget)


def _run_recursion(
    keep: Float[Tensor, "sample time 1"], innovation: Float[Tensor, "sample time feature"], start: float
) -> Float[Tensor, "sample time feature"]:
    """Multiply the series by the part that each step keeps, and add its innovation."""
    value, series = torch.full_like(innovation[:, 0], start), []
    for factor, step in zip(keep.unbind(1), innovation.unbind(1), strict=True):
        value = factor * value + step
        series.append(value)
    return torch.stack(series, 1)
