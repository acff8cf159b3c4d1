"""A tracking that can be cut anywhere and goes on: its points are written once, as they are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path as Folder
from typing import Any

from perdure.core.errors import PartError
from perdure.landscape.chunks import Kept, in_chunks
from perdure.landscape.stored import AGAIN, load_points, save_points
from perdure.landscape.surface import Surface
from perdure.landscape.tracked import Tracked, Valley
from perdure.landscape.valley import valley
from perdure.ops.params import Params, distance
from perdure.records.files import write_text

__all__ = ["load_tracked", "save_tracked", "tracked_in_chunks"]

_STATE = "tracked.json"
_NOTHING = Tracked((), (), 0.0, 0.0, "evaluations", 0.0, 0, 0)

Tell = Callable[[float, float], None]
"""Told the loss that no point lies above, and which share of the distance is left."""


def save_tracked(folder: Folder, kept: Kept[Tracked]) -> None:
    """Store a tracking; points that are there already are not written again.

    Args:
        folder: of this tracking alone.
        kept: it, further than what is there.

    Raises:
        RunFolderError: when the system cannot write.
    """
    parts, there = _parts(folder)
    points = kept.state.points
    if len(points) > there:
        parts.append(f"points-{there:05d}.safetensors")
        save_points(folder / parts[-1], points[there:], "Chain")
    state = {**asdict(replace(kept.state, points=())), "points": len(points)}
    write_text(folder / _STATE, json.dumps({"parts": parts, "seconds": kept.seconds, "tracked": state}))


def load_tracked(folder: Folder) -> Kept[Tracked] | None:
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
    points = tuple(point for part in record["parts"] for point in load_points(folder / part)[0])
    state = {**record["tracked"], "points": points, "losses": tuple(record["tracked"]["losses"])}
    return Kept(Tracked(**state), record["seconds"])


def tracked_in_chunks(
    surface: Surface, ends: tuple[Params, Params], settings: Valley, folder: Folder, tell: Tell
) -> Kept[Tracked]:
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
    whole = distance(*ends)

    def is_over(kept: Kept[Tracked]) -> bool:
        if kept.state.ended == "seconds":
            return kept.seconds >= settings.seconds
        return kept.state.ended != "evaluations" or kept.state.evaluations >= settings.evaluations

    def advance(kept: Kept[Tracked], evaluations: int) -> Tracked:
        until = min(settings.evaluations, kept.state.evaluations + evaluations)
        budget = replace(settings, evaluations=until, seconds=settings.seconds - kept.seconds)
        return valley(surface, *ends, budget, kept.state if kept.state.points else None)

    def keep(kept: Kept[Tracked]) -> None:
        save_tracked(folder, kept)
        tell(kept.state.level, distance(kept.state.points[-1], ends[1]) / whole if whole else 0.0)

    return in_chunks(load_tracked(folder) or Kept(_NOTHING), is_over, advance, keep)


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
        raise PartError(f"{folder / _STATE} cannot be read: {error}", AGAIN) from error
    return record
