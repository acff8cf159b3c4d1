"""Alignment of two networks by their symmetries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from perdure.core.check import check_counts
from perdure.landscape.symmetry import UnitAxis, UnitLayer, rearrange_units
from perdure.ops.params import Params, check_alike, distance

__all__ = ["Alignment", "align"]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A network moved towards another one.

    Args:
        params: Its weights; the function is the same.
        before: Distance before alignment.
        after: Distance after alignment.
    """

    params: Params
    before: float
    after: float


def align(first: Params, second: Params, layers: Sequence[UnitLayer], rounds: int = 50) -> Alignment:
    r"""Let the units of one network change places and signs until they lie nearest to those of another.

    Layer by layer the pairs are matched that have the largest inner product of all their weights, in absolute value
    where signs are free: an assignment problem, :math:`\max_\pi \sum_i E_{i \pi(i)} + |O_{i \pi(i)}|` with even and
    odd parts. A first pass looks only at what enters each layer, where that comes nearer. Then passes over all weights
    are repeated until no layer comes nearer; a step that does not come nearer is not taken.

    Args:
        first: Weights that stay fixed.
        second: Weights to move; not modified.
        layers: Layers of units, from `find_symmetries`.
        rounds: Most passes over all layers.

    Returns:
        The second network, moved. A local optimum: the units of a recurrent layer index both axes of its
        weights, of which a pass matches one at a time.

    Raises:
        ShapeError: If the two networks do not fit.

    Reference:
        ainsworth2023git

    Example:
        >>> from perdure.landscape.symmetry import find_symmetries
        >>> layers = find_symmetries(torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1)))
        >>> names = ("0.weight", "0.bias", "2.weight", "2.bias")
        >>> one = dict(zip(names, map(torch.tensor, ([[1.0], [2.0]], [0.0, 0.5], [[3.0, 4.0]], [0.0])), strict=True))
        >>> two = dict(zip(names, map(torch.tensor, ([[-2.0], [1.0]], [-0.5, 0.0], [[-4.0, 3.0]], [0.0])), strict=True))
        >>> align(one, two, layers).after
        0.0
    """
    check_alike(first, second)
    check_counts(rounds=rounds)
    before = distance(first, second)
    moved = min((second, _match_forward(first, second, layers)), key=partial(distance, first))
    nearest = distance(first, moved)
    for _ in range(rounds):
        start = nearest
        for units in layers:
            candidate = rearrange_units(moved, units, *_match_units(first, moved, units))
            far = distance(first, candidate)
            if far < nearest:
                moved, nearest = candidate, far
        if nearest == start:
            break
    return Alignment(moved, before, nearest)


def _match_forward(first: Params, second: Params, layers: Sequence[UnitLayer]) -> Params:
    """Match each layer by what enters it alone, as its outgoing weights still have the order of the next layer."""
    moved = second
    for k, units in enumerate(layers):
        later = {place.name for after in layers[k + 1 :] for place in after.places}
        into = tuple(place for place in units.places if place.name not in later)
        moved = rearrange_units(moved, units, *_match_units(first, moved, replace(units, places=into)))
    return moved


def _match_units(first: Params, second: Params, units: UnitLayer) -> tuple[Tensor, Tensor]:
    """Return the order and signs under which the units of the second are nearest to those of the first."""
    even, odd = (torch.zeros(units.size, units.size, dtype=torch.float64) for _ in range(2))
    for place in units.places:
        flips = torch.tensor(place.odd)
        item, two = (_reshape_by_unit(params[place.name], place, units.size) for params in (first, second))
        even += item[:, ~flips].flatten(1) @ two[:, ~flips].flatten(1).T
        odd += item[:, flips].flatten(1) @ two[:, flips].flatten(1).T
    score = even + (odd.abs() if units.signed else odd)
    order = torch.from_numpy(linear_sum_assignment(score.numpy(), maximize=True)[1])
    kept = odd[torch.arange(units.size), order] >= 0
    return order, torch.where(kept | torch.tensor(not units.signed), 1.0, -1.0)


def _reshape_by_unit(weight: Tensor, place: UnitAxis, size: int) -> Tensor:
    """Bring a weight into the shape (unit, block, all else)."""
    blocks = place.blocks(weight.double().cpu(), size)
    return blocks.movedim((place.axis + 1, place.axis), (0, 1)).reshape(size, len(place.odd), -1)
