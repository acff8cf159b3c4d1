"""Maps with the texture of a given map: moved, permuted, or exchanged between samples."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.random import child_seeds, uniform
from perdure.ops.position import shared_axis
from perdure.ops.sequence import site_mask

__all__ = ["exchange", "is_constant_within_positions", "move", "permute"]


def move(
    values: Float[Tensor, "batch *site"],
    mask: Bool[Tensor, "batch time"] | None,
    seeds: Int[Tensor, " batch"],
    draws: int,
) -> Float[Tensor, "draw batch *site"]:
    """Move each map: shift it in a circle, or mirror it; over the valid steps of a series, over rows and columns.

    What is kept: all values of a map, its smoothness, and which values belong to one position. What is lost: where
    they lie. If the law of a map depends neither on its origin nor on its direction, the map and a draw are
    exchangeable. A shift puts the two ends of a map side by side, which smooth maps do not have; a mirror image has no
    such seam, but is right where the evidence lies in the middle. So half of the draws are mirror images, in whole
    numbers by chance, while there are different ones: one of a series, three of an image.

    With a shift, features of a step and channels of a pixel are shifted too, so that a map that marks the right feature
    at every step is not its own null. The shifts of positions differ between the draws, and from zero, while there are
    enough.

    Args:
        values: Maps.
        mask: True at valid steps; None when all are.
        seeds: One seed per sample.
        draws: Number of moved copies.

    Returns:
        The copies; padded steps stay where they are.

    Example:
        >>> values, seeds = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([4])
        >>> sorted(move(values, None, seeds, 2)[:, 0].tolist())
        [[3.0, 1.0, 2.0], [3.0, 2.0, 1.0]]
    """
    shifted, mirrored = _shift(values, mask, seeds, draws), _mirror(values, mask, seeds)
    coin = uniform(child_seeds(seeds, "mirrored"), (1,), torch.zeros((), dtype=torch.float64)).to(values.device)[:, 0]
    count = (draws / 2 + coin).long().clamp_max(len(mirrored))
    copies = []
    for draw, copy in enumerate(shifted):
        mirror = mirrored[min(draw, len(mirrored) - 1)]
        copies.append(torch.where((draw < count).reshape(-1, *[1] * (values.ndim - 1)), mirror, copy))
    return torch.stack(copies)


def _shift(values: Tensor, mask: Tensor | None, seeds: Tensor, draws: int) -> Float[Tensor, "draw batch *site"]:
    """Shift each map in a circle."""
    rows = _by_position(values)
    positions, channels = rows.shape[1:]
    lengths = _lengths(values, mask, positions)
    offsets = _offsets(lengths, positions, child_seeds(seeds, "positions"), draws)
    turns = (uniform(child_seeds(seeds, "channels"), (draws,), rows.double()).T * channels).long()
    place = torch.arange(positions, device=values.device)
    channel = torch.arange(channels, device=values.device)
    copies = []
    for offset, turn in zip(offsets, turns, strict=True):
        moved = _take(rows, _shifted_places(place, offset, lengths, values))
        index = ((channel - turn[:, None]) % channels)[:, None].expand_as(rows)
        inside = (place < lengths[:, None])[..., None]
        copies.append(torch.where(inside, moved.gather(2, index), rows))
    return torch.stack([_from_positions(item, values) for item in copies])


def _mirror(values: Tensor, mask: Tensor | None, seeds: Tensor) -> Float[Tensor, "mirror batch *site"]:
    """Mirror each map in all ways, in random order."""
    if values.ndim != 4:
        rows = _by_position(values)
        lengths, place = _lengths(values, mask, rows.shape[1]), torch.arange(rows.shape[1], device=values.device)
        backwards = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)
        return _from_positions(_take(rows, backwards), values)[None]
    every = torch.stack([values.flip(2), values.flip(3), values.flip(2, 3)])
    keys = uniform(child_seeds(seeds, "ways"), (3,), torch.zeros((), dtype=torch.float64))
    order = keys.argsort(1).T.to(values.device)
    return every.gather(0, order.reshape(*order.shape, 1, 1, 1).expand_as(every))


def permute(
    values: Float[Tensor, "batch *site"],
    mask: Bool[Tensor, "batch time"] | None,
    seeds: Int[Tensor, " batch"],
    draws: int,
) -> Float[Tensor, "draw batch *site"]:
    """Permute the units of each map: positions where it is constant within each of them, else single elements.

    What is kept: all values of a map, and which of them are equal by construction. What is lost: where they lie, and
    whether neighbours are alike.

    Args:
        values: Maps.
        mask: True at valid steps; None when all are.
        seeds: One seed per sample.
        draws: Number of permuted copies.

    Returns:
        The copies; padded steps stay where they are.

    Example:
        >>> steps = torch.tensor([[[1.0, 1.0], [5.0, 5.0]]])
        >>> copies = permute(steps, None, torch.tensor([0]), 20)
        >>> sorted({tuple(item.flatten().tolist()) for item in copies})
        [(1.0, 1.0, 5.0, 5.0), (5.0, 5.0, 1.0, 1.0)]
    """
    rows = _by_position(values)
    lengths = _lengths(values, mask, rows.shape[1])
    coarse = is_constant_within_positions(values, mask)
    outside = torch.arange(rows.shape[1], device=values.device) >= lengths[:, None]
    copies = []
    for draw in range(draws):
        keys = uniform(child_seeds(seeds, draw), tuple(rows.shape[1:]), rows.double())
        by_position = keys[..., 0].masked_fill(outside, torch.inf).argsort(dim=1, stable=True)
        whole = _take(rows, by_position)
        by_element = keys.masked_fill(outside[..., None], torch.inf).flatten(1).argsort(dim=1, stable=True)
        single = rows.flatten(1).gather(1, by_element).view_as(rows)
        copies.append(torch.where(coarse[:, None, None], whole, single))
    return torch.stack([_from_positions(item, values) for item in copies])


def exchange(
    values: Float[Tensor, "batch *site"],
    mask: Bool[Tensor, "batch time"] | None,
    group: Int[Tensor, " batch"],
    seeds: Int[Tensor, " batch"],
    draws: int,
) -> Float[Tensor, "draw batch *site"]:
    """Give each sample the map of another sample of its group, its steps at the same fraction of the length.

    What is kept: all that maps of a group have in common. What is lost: what a map shows of its sample. The only
    sample of a group keeps its map.

    Args:
        values: Maps.
        mask: True at valid steps; None when all are.
        group: Group of each sample, for example its class.
        seeds: One seed per sample; the draws of a sample depend on the others.
        draws: Number of copies.

    Returns:
        The copies; padded steps are as in `values`.

    Example:
        >>> maps, group = torch.tensor([[1.0], [2.0], [7.0]]), torch.tensor([0, 0, 1])
        >>> exchange(maps, None, group, torch.arange(3), 1).flatten().tolist()
        [2.0, 1.0, 7.0]
    """
    rows = _by_position(values)
    lengths = _lengths(values, mask, rows.shape[1])
    keys = uniform(seeds, (draws,), rows.double()).T
    place = torch.arange(rows.shape[1], device=values.device)
    copies = []
    for draw in keys:
        donor = _next_of_group(draw, group)
        source = ((place + 0.5) * lengths[donor, None] / lengths[:, None]).long().clamp_max(rows.shape[1] - 1)
        if values.ndim == 4:
            source = place.expand(len(rows), -1)
        moved = _take(rows[donor], source)
        copies.append(torch.where(place[None, :, None] < lengths[:, None, None], moved, rows))
    return torch.stack([_from_positions(item, values) for item in copies])


def is_constant_within_positions(
    values: Float[Tensor, "batch *site"], mask: Bool[Tensor, "batch time"] | None
) -> Bool[Tensor, " batch"]:
    """Find the maps that are constant over the features of each valid step, or the channels of each pixel.

    Args:
        values: Maps.
        mask: True at valid steps; None when all are.

    Returns:
        True for a map whose unit is the position; False where it varies, or where a position has a single number.

    Example:
        >>> is_constant_within_positions(torch.tensor([[[1.0, 1.0]], [[1.0, 2.0]]]), None).tolist()
        [True, False]
    """
    rows, valid = _by_position(values), _by_position(site_mask(mask, values))
    if rows.shape[2] == 1:
        return torch.zeros(len(rows), dtype=torch.bool, device=values.device)
    return ((rows == rows[..., :1]) | ~valid).flatten(1).all(1)


def _offsets(lengths: Tensor, most: int, seeds: Tensor, draws: int) -> Int[Tensor, "draw batch"]:
    """Draw shifts in [0, length): without repetition while there are enough, and independent ones after these."""
    like = torch.zeros((), dtype=torch.float64, device=lengths.device)
    keys = uniform(seeds, (most,), like)
    keys[:, 0] = -1.0  # the map itself comes first and is not drawn
    keys = keys.masked_fill(torch.arange(most, device=lengths.device) >= lengths[:, None], torch.inf)
    order = keys.argsort(dim=1, stable=True)
    again = (uniform(child_seeds(seeds, "again"), (draws,), like) * lengths[:, None]).long()
    number = torch.arange(1, draws + 1, device=lengths.device)
    distinct = order[:, number.clamp_max(most - 1)]
    return torch.where(number < lengths[:, None], distinct, again).T


def _shifted_places(place: Tensor, offset: Tensor, lengths: Tensor, values: Tensor) -> Int[Tensor, "batch position"]:
    """Find the place that each position takes its value from."""
    if values.ndim != 4:
        inside = (place - offset[:, None]) % lengths[:, None]
        return torch.where(place < lengths[:, None], inside, place)
    height, width = values.shape[2:]
    row, column = place // width, place % width
    down, right = offset[:, None] // width, offset[:, None] % width
    return (row - down) % height * width + (column - right) % width


def _next_of_group(keys: Tensor, group: Tensor) -> Int[Tensor, " batch"]:
    """Order the samples of each group by their keys in a circle, and name the one after each."""
    donor = torch.arange(len(group), device=group.device)
    for label in group.unique():
        members = (group == label).nonzero()[:, 0]
        members = members[keys.to(group.device)[members].argsort()]
        donor[members] = members.roll(-1)
    return donor


def _take(rows: Tensor, places: Int[Tensor, "batch position"]) -> Tensor:
    """Take the positions of each sample at these places."""
    return rows.gather(1, places[..., None].expand_as(rows))


def _by_position(values: Tensor) -> Tensor:
    """Lay a map out as (batch, position, number of the position); the columns of a table are positions."""
    axis = shared_axis(values)
    if axis is None:
        return values[..., None]
    return values if axis == 2 else values.flatten(2).transpose(1, 2)


def _from_positions(rows: Tensor, values: Tensor) -> Tensor:
    """Undo `_by_position`."""
    axis = shared_axis(values)
    if axis is None:
        return rows[..., 0]
    return rows if axis == 2 else rows.transpose(1, 2).reshape(values.shape)


def _lengths(values: Tensor, mask: Tensor | None, positions: int) -> Int[Tensor, " batch"]:
    if mask is None:
        return torch.full((len(values),), positions, dtype=torch.long, device=values.device)
    return mask.sum(1).to(values.device)
