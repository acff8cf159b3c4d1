"""The ways from one training run to another: paths of several kinds, and what is said at points of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.batch import select
from perdure.core.random import stream
from perdure.core.registry import folder_name
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
"""Training samples on which paths are laid and barriers measured."""

BENT = CurveSettings(steps=300, batch_size=64)
TRACKED = ValleySettings(longest=0.05, least=0.005, evaluations=600)
AT = 13
"""Points of a path at which its loss is measured."""


def select_search_samples(surface: ModelLoss) -> ModelLoss:
    """Take the samples on which paths are laid."""
    return replace(surface, batch=select(surface.batch, slice(0, SEARCHED)))


def align_to(surface: ModelLoss, first: Params, second: Params) -> Params:
    """Let the units of a run change places and signs until they lie nearest to those of another.

    Args:
        surface: with the model.
        first: the other.
        second: the run.

    Returns:
        The same function by other weights.
    """
    return align(first, second, find_symmetries(surface.model)).params


def connect(surface: ModelLoss, first: Params, second: Params, seed: int, short: bool) -> dict[str, Path]:
    """Lay a path of each kind.

    Args:
        surface: the loss.
        first: where they start.
        second: where they end.
        seed: of what is drawn.
        short: whether to search a little only.

    Returns:
        The paths by kind; a tracking that was cut short ends with a straight piece.
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
        surface: the loss.
        path: the path.

    Returns:
        Its height in nats.
    """
    return measure_barrier(select_search_samples(surface), path, torch.Generator(), AT, draws=1).height


def measure_linear_barriers(surface: ModelLoss, runs: Sequence[Params]) -> Float[Tensor, "run run"]:
    """Measure the barrier of the straight line between all runs, once their units are matched.

    Args:
        surface: the loss.
        runs: the weights of each.

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
    """List the points at which is asked: the first end, those of each kind, and the second end.

    Args:
        paths: by kind, in the order of `KINDS`.

    Returns:
        The points.
    """
    chains = [space_evenly(paths[kind], INNER + 2).points for kind in KINDS]
    return [chains[0][0], *(point for chain in chains for point in chain[1:-1]), chains[0][-1]]


def select_path(runs: Sequence[RunExplanations], kind: str) -> list[RunExplanations]:
    """Pick what is said along the path of a kind.

    Args:
        runs: what all points say.
        kind: of path.

    Returns:
        What its points say, ends included.

    Example:
        >>> select_path(range(11), "bezier")
        [0, 4, 5, 6, 10]
    """
    begin = 1 + INNER * KINDS.index(kind)
    return [runs[0], *runs[begin : begin + INNER], runs[-1]]


def to_arrays(told: Mapping[str, Sequence[RunExplanations]]) -> dict[str, np.ndarray]:
    """Turn what all points say into arrays.

    Args:
        told: by method.

    Returns:
        The arrays, for `read_run_explanations`.
    """
    some = next(iter(told.values()))
    arrays = {
        "present": some[0].vectors.present.numpy(),
        "predicted": torch.stack([run.predicted for run in some]).numpy(),
    }
    for method, runs in told.items():
        name, again = folder_name(method), [run.again.values for run in runs if run.again is not None]
        arrays[f"values/{name}"] = torch.stack([run.vectors.values for run in runs]).numpy()
        arrays[f"again/{name}"] = torch.stack(again).numpy()
    return arrays


def read_run_explanations(arrays: Mapping[str, np.ndarray], method: str) -> list[RunExplanations]:
    """Read what all points say.

    Args:
        arrays: of `to_arrays`.
        method: which method.

    Returns:
        One run for each point; the ends explain themselves again.
    """
    name, present = folder_name(method), torch.from_numpy(arrays["present"])
    values, again = (torch.from_numpy(arrays[f"{room}/{name}"]) for room in ("values", "again"))
    ends = {0: again[0], len(values) - 1: again[-1]}
    return [
        RunExplanations(Vectors(one, present), predicted, Vectors(ends[k], present) if k in ends else None)
        for k, (one, predicted) in enumerate(zip(values, torch.from_numpy(arrays["predicted"]), strict=True))
    ]
