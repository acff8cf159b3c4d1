"""Paths of several kinds between two runs, and explanations at points of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.batch import slice_batch
from perdure.core.random import stream
from perdure.core.spec import slug
from perdure.landscape.align import align
from perdure.landscape.barrier import measure_barrier
from perdure.landscape.curve import CurveSettings, fit_bezier
from perdure.landscape.path import Chain, Path, connect_linearly, space_evenly
from perdure.landscape.surface import ModelLoss
from perdure.landscape.symmetry import find_symmetries
from perdure.landscape.tracking import ValleySettings
from perdure.landscape.valley import track_valley
from perdure.ops.params import Params, distance
from perdure.stability.agreement import RunExplanations
from perdure.stability.vectors import Vectors

__all__ = [
    "KINDS",
    "MIDDLE",
    "align_to",
    "connect",
    "list_points",
    "measure_linear_barriers",
    "measure_path_height",
    "read_run_explanations",
    "select_path",
    "to_arrays",
]

KINDS = ("linear", "bezier", "valley")

INNER = 3
"""Points of a path between its ends, at equal arc length."""

MIDDLE = 1 + INNER // 2
"""Where the middle of the straight line is among all points: weights averaged over both ends."""

SEARCHED = 500
"""Training samples on which paths are searched and barriers measured."""

BENT = CurveSettings(steps=300, batch_size=64)
TRACKED = ValleySettings(longest=0.05, least=0.005, evaluations=600)
AT = 13
"""Points of a path at which its loss is measured."""


def select_search_samples(surface: ModelLoss) -> ModelLoss:
    """Select the samples on which paths are searched."""
    return replace(surface, batch=slice_batch(surface.batch, slice(0, SEARCHED)))


def align_to(surface: ModelLoss, first: Params, second: Params) -> Params:
    """Permute the units of a run and change their signs to align them with those of another run.

    Args:
        surface: Loss surface with the model.
        first: Weights to align to.
        second: Weights of the run.

    Returns:
        Aligned weights of the same function.
    """
    return align(first, second, find_symmetries(surface.model)).params


def connect(surface: ModelLoss, first: Params, second: Params, seed: int, short: bool) -> dict[str, Path]:
    """Connect two runs by a path of each kind.

    Args:
        surface: Loss surface.
        first: First end.
        second: Second end.
        seed: Seed for all random draws.
        short: Whether to use a short search.

    Returns:
        Paths by kind; a tracking that was stopped early ends with a straight segment.
    """
    few = select_search_samples(surface)
    bend = replace(BENT, steps=10) if short else BENT
    tracked = track_valley(few, first, second, replace(TRACKED, evaluations=6) if short else TRACKED).points
    if distance(tracked[-1], second) > 0:
        tracked = (*tracked, second)
    return {
        "linear": connect_linearly(first, second),
        "bezier": fit_bezier(few, first, second, stream(seed, "bezier"), bend),
        "valley": Chain(tracked),
    }


def measure_path_height(surface: ModelLoss, path: Path) -> float:
    """Measure the barrier of a path.

    Args:
        surface: Loss surface.
        path: Path.

    Returns:
        Height in nats.
    """
    return measure_barrier(select_search_samples(surface), path, torch.Generator(), AT, draws=1).height


def measure_linear_barriers(surface: ModelLoss, runs: Sequence[Params]) -> Float[Tensor, "run run"]:
    """Measure the barrier of the straight line between all runs, once their units are matched.

    Args:
        surface: Loss surface.
        runs: Weights of each run.

    Returns:
        Heights in nats; NaN on the diagonal.
    """
    table = torch.full((len(runs), len(runs)), torch.nan, dtype=torch.float64)
    for i, j in combinations(range(len(runs)), 2):
        table[i, j] = table[j, i] = measure_path_height(
            surface, connect_linearly(runs[i], align_to(surface, runs[i], runs[j]))
        )
    return table


def list_points(paths: Mapping[str, Path]) -> list[Params]:
    """List the points at which explanations are computed: the first end, inner points of each kind, the second end.

    Args:
        paths: Paths by kind, in the order of `KINDS`.

    Returns:
        Weights at the points.
    """
    chains = [space_evenly(paths[kind], INNER + 2).points for kind in KINDS]
    return [chains[0][0], *(point for chain in chains for point in chain[1:-1]), chains[0][-1]]


def select_path(runs: Sequence[RunExplanations], kind: str) -> list[RunExplanations]:
    """Select the explanations along the path of a kind.

    Args:
        runs: Explanations of all points.
        kind: Kind of path.

    Returns:
        Explanations at its points, including both ends.

    Example:
        >>> select_path(range(11), "bezier")
        [0, 4, 5, 6, 10]
    """
    begin = 1 + INNER * KINDS.index(kind)
    return [runs[0], *runs[begin : begin + INNER], runs[-1]]


def to_arrays(explanations: Mapping[str, Sequence[RunExplanations]]) -> dict[str, np.ndarray]:
    """Convert the explanations of all points to arrays.

    Args:
        explanations: Explanations by method.

    Returns:
        The arrays, for `read_run_explanations`.
    """
    points = next(iter(explanations.values()))
    arrays = {
        "present": points[0].vectors.present.numpy(),
        "predicted": torch.stack([run.predicted for run in points]).numpy(),
    }
    for method, runs in explanations.items():
        name, again = slug(method), [run.again.values for run in runs if run.again is not None]
        arrays[f"values/{name}"] = torch.stack([run.vectors.values for run in runs]).numpy()
        arrays[f"again/{name}"] = torch.stack(again).numpy()
    return arrays


def read_run_explanations(arrays: Mapping[str, np.ndarray], method: str) -> list[RunExplanations]:
    """Read the explanations of all points.

    Args:
        arrays: Arrays of `to_arrays`.
        method: Name of the method.

    Returns:
        Explanations of each point; the ends also have repeated explanations.
    """
    name, present = slug(method), torch.from_numpy(arrays["present"])
    values, again = (torch.from_numpy(arrays[f"{kind}/{name}"]) for kind in ("values", "again"))
    ends = {0: again[0], len(values) - 1: again[-1]}
    return [
        RunExplanations(Vectors(vectors, present), predicted, Vectors(ends[k], present) if k in ends else None)
        for k, (vectors, predicted) in enumerate(zip(values, torch.from_numpy(arrays["predicted"]), strict=True))
    ]
