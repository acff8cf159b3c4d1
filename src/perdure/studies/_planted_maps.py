"""Maps that are right, half right or wrong by construction, as attribution methods of planted networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from perdure.core.copy import copy_module
from perdure.core.query import Query
from perdure.core.random import child_seeds, normal, stream, uniform
from perdure.core.target import OfLabel, label_target
from perdure.ops.position import to_positions, to_sites
from perdure.ops.sequence import length_mask
from perdure.studies._planted_model import PlantedModel

__all__ = ["IN_TIME", "MAPS", "MEASURED", "PlantedMap", "Recipe"]

NOISE = 0.15
"""Standard deviation of the noise of a nearly exact map, as a fraction of that of the map."""

FADING = {"slowly": 3.0, "fast": 12.0}
"""Decay of a fading map over the whole series, in units of e."""


class Recipe(NamedTuple):
    """How a map is made, and why its answer is known.

    Args:
        make: Function of the query and a seed.
        right: Right answer down to the input; "measured" where it follows from the correlation with the exact
            contributions, as it depends on the task.
        why: Reason.
    """

    make: Callable[[Query, int], Tensor]
    right: str
    why: str


@dataclass(frozen=True)
class PlantedMap:
    """A map made from the exact contributions of a planted network.

    Args:
        name: Name in `MAPS` or `IN_TIME`.
        seed: Seed of all random draws.
    """

    name: str
    seed: int = 0

    def scores(self, query: Query) -> Tensor:
        """Compute the map."""
        return {**MAPS, **IN_TIME}[self.name].make(query, self.seed)


def _model(query: Query) -> PlantedModel:
    return cast(PlantedModel, query.model)


def _label(query: Query) -> Tensor:
    return cast(OfLabel, label_target(query.bound)).label


def _compute_exact(query: Query, _: int = 0) -> Tensor:
    return _model(query).contributions(query.x, _label(query), query.lengths)


def _by_position(query: Query) -> bool:
    return _model(query).granularity == "position"


def _draw(distribution: Callable[..., Tensor], query: Query, seed: int, name: str) -> Tensor:
    """Draw numbers of the players of each sample, the same for all models that explain it."""
    seeds = query.seeds if len(query.seeds) else torch.arange(len(query.x))
    shape = (to_positions(query.x) if _by_position(query) else query.x).shape[1:]
    return distribution(child_seeds(seeds, (name, seed)), tuple(shape), query.x)


def _share_out(players: Tensor, query: Query) -> Tensor:
    """Divide the numbers of positions equally among their elements."""
    if not _by_position(query):
        return players
    sites = to_sites(players, query.x)
    return sites / (sites.numel() / players.numel())


def _permute(exact: Tensor, query: Query, seed: int) -> Tensor:
    """Permute the values of the players of each sample."""
    players = to_positions(exact) if _by_position(query) else exact
    keys = _draw(uniform, query, seed, "permuted")
    keys = (
        keys
        if query.mask is None
        else keys.masked_fill(~query.mask.reshape(*query.mask.shape, *[1] * (keys.ndim - 2)), 2.0)
    )
    return _share_out(players.flatten(1).gather(1, keys.flatten(1).argsort(1)).reshape(players.shape), query)


def _per_sample(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.reshape(-1, *[1] * (like.ndim - 1))


def _make_noisy(query: Query, seed: int) -> Tensor:
    exact = _compute_exact(query)
    return exact + NOISE * _per_sample(exact.flatten(1).std(1), exact) * _share_out(
        _draw(normal, query, seed, "noise"), query
    )


def _make_compressed(query: Query, _: int) -> Tensor:
    exact = _compute_exact(query)
    return exact.sign() * exact.abs().sqrt()


def _make_half_right(query: Query, seed: int) -> Tensor:
    exact, kept = _compute_exact(query), _draw(uniform, query, seed, "half") < 0.5
    return torch.where(to_sites(kept, query.x) if _by_position(query) else kept, exact, _permute(exact, query, seed))


def _make_half_of_samples(query: Query, seed: int) -> Tensor:
    exact = _compute_exact(query)
    kept = _draw(uniform, query, seed, "sample").flatten(1)[:, 0] < 0.5
    return torch.where(_per_sample(kept, exact), exact, _permute(exact, query, seed))


def _shift(query: Query, _: int) -> Tensor:
    exact = _compute_exact(query)
    if exact.ndim == 4:
        return exact.roll((exact.shape[2] // 2, exact.shape[3] // 2), (2, 3))
    lengths = [exact.shape[1]] * len(exact) if query.lengths is None else query.lengths.tolist()
    return torch.stack([torch.cat([row[:n].roll(n // 2, 0), row[n:]]) for row, n in zip(exact, lengths, strict=True)])


def _find_edges(query: Query, _: int) -> Tensor:
    axes = (2, 3) if query.x.ndim == 4 else (1,)
    return torch.stack([(query.x - query.x.roll(1, axis)).abs() for axis in axes]).sum(0)


def _make_smooth(query: Query, seed: int) -> Tensor:
    noise = _draw(normal, query, seed, "smooth")
    for axis in (1, 2) if query.x.ndim == 4 else (1,):
        noise = torch.stack([noise.roll(step, axis) for step in (-1, 0, 1)]).sum(0)
    return _share_out(noise, query)


def _explain_other_model(query: Query, seed: int) -> Tensor:
    """Compute the exact contributions of a network with other weights, the same whichever network is explained."""
    other: Any = copy_module(_model(query))
    for name, parameter in other.named_parameters():
        torch.nn.init.normal_(parameter.data, generator=stream(seed, "other model", name))
    result: Tensor = other.contributions(query.x, _label(query), query.lengths)
    return result


def _explain_other_sample(query: Query, _: int) -> Tensor:
    exact, label = _compute_exact(query), _label(query)
    order = torch.arange(len(exact))
    for number in set(label.tolist()):
        mine = (label == number).nonzero()[:, 0]
        order[mine] = mine.roll(1)
    return exact[order]


def _weigh_steps(decay: float) -> Callable[[Query, int], Tensor]:
    """Let a map fade with the distance from the end, or from the start where the decay is negative."""

    def make(query: Query, _: int) -> Tensor:
        exact = _compute_exact(query)
        lengths = torch.full((len(exact),), exact.shape[1]) if query.lengths is None else query.lengths
        place = (torch.arange(exact.shape[1]) + 1) / lengths[:, None]
        weight = torch.exp(decay * place) * length_mask(lengths, exact.shape[1])
        return exact * (weight / weight.amax(1, keepdim=True))[..., None]

    return make


MEASURED = "measured"

MAPS: Mapping[str, Recipe] = MappingProxyType(
    {
        "exact": Recipe(_compute_exact, "yes", "Shapley values in closed form"),
        "nearly exact": Recipe(_make_noisy, "yes", "exact, with noise of .15 standard deviations"),
        "compressed": Recipe(_make_compressed, "yes", "signed square roots of the exact values: their order and sign"),
        "half of the players": Recipe(
            _make_half_right, "partly", "exact for half of the players, permuted for the rest"
        ),
        "half of the samples": Recipe(
            _make_half_of_samples, "partly", "exact for half of the samples, permuted for the rest"
        ),
        "unsigned": Recipe(
            lambda query, _: _compute_exact(query).abs(), MEASURED, "right where all evidence has one sign"
        ),
        "negated": Recipe(
            lambda query, _: -_compute_exact(query), "no", "evidence for a class is marked as against it"
        ),
        "shifted": Recipe(_shift, "no", "exact, moved by half of the input"),
        "magnitude": Recipe(lambda query, _: query.x.abs(), MEASURED, "made from the input alone"),
        "edges": Recipe(_find_edges, MEASURED, "made from the input alone"),
        "smooth random": Recipe(_make_smooth, "no", "made from noise alone"),
        "random": Recipe(
            lambda query, seed: _share_out(_draw(uniform, query, seed, "random"), query), "no", "made from noise alone"
        ),
        "other network": Recipe(_explain_other_model, MEASURED, "exact for a network with other weights"),
        "other sample": Recipe(_explain_other_sample, MEASURED, "exact for another sample of the class"),
    }
)
"""Maps for the question down to the input."""

IN_TIME: Mapping[str, Recipe] = MappingProxyType(
    {
        f"{side} {speed}": Recipe(_weigh_steps(sign * decay), MEASURED, f"exact, {side} {speed}")
        for side, sign in (("fading towards the start", 1.0), ("fading towards the end", -1.0))
        for speed, decay in FADING.items()
    }
)
"""Further maps for the question over time."""
