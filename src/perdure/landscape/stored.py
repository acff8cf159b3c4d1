"""Stored paths: their points in safetensors, and a tracking that can be cut anywhere and goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path as Folder
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from perdure.core.errors import PartError
from perdure.landscape.bezier import Bezier
from perdure.landscape.counted import Counted
from perdure.landscape.path import Chain, Path
from perdure.landscape.tracked import Tracked, Valley
from perdure.landscape.valley import valley
from perdure.ops.params import Params, distance
from perdure.records.files import write_bytes, write_text

__all__ = ["Kept", "load_path", "load_tracked", "save_path", "save_tracked", "tracked_in_chunks"]

CHUNK = 5.0
"""Seconds that a chunk of a tracking is to take."""

FIRST = 8
"""Losses of points in the first chunk; later ones have more or fewer, as they took less or more time."""

_STATE = "tracked.json"
_NOTHING = Tracked((), (), 0.0, 0.0, "evaluations", 0.0, 0, 0)
_SHAPES = {shape.__name__: shape for shape in (Chain, Bezier)}

Tell = Callable[[float, float], None]
"""Told the loss that no point lies above, and which share of the distance is left."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A tracking with what it has cost, over all its chunks.

    Args:
        tracked: how far it came.
        seconds: of wall time.
        passes: of minibatches, as `Counted` counts them.
    """

    tracked: Tracked
    seconds: float = 0.0
    passes: float = 0.0


def save_path(file: Folder, path: Path) -> None:
    """Store a path by the points that define it.

    Args:
        file: a .safetensors file, which then is whole.
        path: a chain or a Bezier curve.

    Raises:
        RunFolderError: when the system cannot write.
    """
    write_bytes(file, _packed(path.points, type(path).__name__))


def load_path(file: Folder) -> Path:
    """Load what `save_path` stored; names, order and bits of the weights are the same.

    Args:
        file: the .safetensors file.

    Returns:
        The path.

    Raises:
        PartError: when the file is missing or damaged.
    """
    points, shape = _unpacked(file)
    return _SHAPES[shape](points)


def save_tracked(folder: Folder, kept: Kept) -> None:
    """Store a tracking; points that are there already are not written again.

    Args:
        folder: of this tracking alone.
        kept: it, further than what is there.

    Raises:
        RunFolderError: when the system cannot write.
    """
    parts, there = _parts(folder)
    points = kept.tracked.points
    if len(points) > there:
        parts.append(f"points-{there:05d}.safetensors")
        write_bytes(folder / parts[-1], _packed(points[there:], "Chain"))
    state = {**asdict(replace(kept.tracked, points=())), "points": len(points)}
    record = {"parts": parts, "seconds": kept.seconds, "passes": kept.passes, "tracked": state}
    write_text(folder / _STATE, json.dumps(record))


def load_tracked(folder: Folder) -> Kept | None:
    """Load what `save_tracked` stored; what a killed process left behind it does not count.

    Args:
        folder: of this tracking alone.

    Returns:
        It, or None where there is none.

    Raises:
        PartError: when a file is missing or damaged.
    """
    if not (folder / _STATE).exists():
        return None
    record = _record(folder)
    points = tuple(point for part in record["parts"] for point in _unpacked(folder / part)[0])
    state = {**record["tracked"], "points": points, "losses": tuple(record["tracked"]["losses"])}
    return Kept(Tracked(**state), record["seconds"], record["passes"])


def tracked_in_chunks(
    surface: Counted, ends: tuple[Params, Params], settings: Valley, folder: Folder, tell: Tell
) -> Kept:
    """Track a valley and store it every few seconds; a tracking in the folder goes on as if it had never ended.

    Args:
        surface: gives losses and gradients.
        ends: start and target.
        settings: how to track; its seconds count over all calls.
        folder: of this tracking alone.
        tell: told after each chunk.

    Returns:
        The tracking at its end, or out of evaluations or time.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when the loss of an end, or a gradient, is NaN or infinite.
        PartError: when a stored file is damaged.

    Reference:
        ger2020reproducibility
    """
    kept, whole, evaluations = load_tracked(folder), distance(*ends), FIRST
    while kept is None or _goes_on(kept, settings):
        before, begun, passes = kept or Kept(_NOTHING), time.monotonic(), surface.passes
        until = min(settings.evaluations, before.tracked.evaluations + evaluations)
        budget = replace(settings, evaluations=until, seconds=settings.seconds - before.seconds)
        tracked = valley(surface, *ends, budget, None if kept is None else kept.tracked)
        seconds = time.monotonic() - begun
        evaluations = max(1, evaluations * 2 if seconds < CHUNK else evaluations // 2)
        kept = Kept(tracked, before.seconds + seconds, before.passes + surface.passes - passes)
        save_tracked(folder, kept)
        tell(tracked.level, distance(tracked.points[-1], ends[1]) / whole if whole else 0.0)
    return kept


def _goes_on(kept: Kept, settings: Valley) -> bool:
    if kept.tracked.ended == "seconds":
        return kept.seconds < settings.seconds
    return kept.tracked.ended == "evaluations" and kept.tracked.evaluations < settings.evaluations


def _parts(folder: Folder) -> tuple[list[str], int]:
    """Give the files of the points that are stored, and how many points that are."""
    if not (folder / _STATE).exists():
        return [], 0
    record = _record(folder)
    return list(record["parts"]), record["tracked"]["points"]


def _record(folder: Folder) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PartError(f"{folder / _STATE} cannot be read: {error}", _AGAIN) from error
    return record


_AGAIN = "delete the folder of this path, and run the same command again"


def _packed(points: Sequence[Params], shape: str) -> bytes:
    names = list(points[0])
    stacked = {name: torch.stack([point[name].detach().cpu() for point in points]) for name in names}
    return safetensors.torch.save(stacked, {"names": json.dumps(names), "shape": shape})


def _unpacked(file: Folder) -> tuple[tuple[Params, ...], str]:
    try:
        with safe_open(file, "pt") as stored:
            about = stored.metadata()
            stacked = {name: stored.get_tensor(name) for name in json.loads(about["names"])}
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise PartError(f"{file} is missing, damaged or no path: {error}", _AGAIN) from error
    count = len(next(iter(stacked.values())))
    return tuple({name: weights[k] for name, weights in stacked.items()} for k in range(count)), about["shape"]
