"""A tracking that can be cut anywhere and goes on: its points are written once, as they are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as Folder
from typing import Any, TypeVar

import torch
from torch import Tensor

from perdure.core.errors import PartError
from perdure.landscape.chunks import Kept, in_chunks
from perdure.landscape.published import Published, published_valley
from perdure.landscape.stored import AGAIN, load_points, load_tensors, save_points, save_tensors
from perdure.landscape.surface import Surface
from perdure.landscape.tracked import Detour, Tracked, Valley
from perdure.landscape.valley import valley
from perdure.ops.params import Params, distance
from perdure.records.files import write_text

__all__ = ["load_tracked", "published_in_chunks", "save_tracked", "valley_in_chunks"]

_STATE = "tracked.json"
_NOTHING = Tracked((), (), 0.0, 0.0, "evaluations", 0.0, 0, 0)

Tell = Callable[[float, float], None]
"""Told the loss that no point lies above, and which share of the distance is left."""

Settings = TypeVar("Settings", Valley, Published)


def valley_in_chunks(
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

    def track(budget: Valley, before: Tracked | None) -> Tracked:
        return valley(surface, *ends, budget, before)

    return _tracked_in_chunks(ends, settings, track, folder, tell)


def published_in_chunks(
    surface: Surface,
    ends: tuple[Params, Params],
    settings: Published,
    generator: torch.Generator,
    folder: Folder,
    tell: Tell,
) -> Kept[Tracked]:
    """Track a valley as published, and store it every few seconds, as `valley_in_chunks` does.

    Args:
        surface: gives losses and gradients.
        ends: start and target.
        settings: of the published code; its seconds count over all calls.
        generator: the stream of the samples of one that begins.
        folder: of this tracking alone.
        tell: told after each chunk; points that the search takes all the same may lie above what it is told.

    Returns:
        The tracking at its end, or out of evaluations or time.

    Raises:
        ShapeError: when the two ends do not fit.
        NonFiniteError: when a gradient is NaN or infinite.
        PartError: when a stored file is damaged.

    Reference:
        ger2020reproducibility
    """

    def track(budget: Published, before: Tracked | None) -> Tracked:
        return published_valley(surface, *ends, budget, before if isinstance(before, Detour) else generator)

    return _tracked_in_chunks(ends, settings, track, folder, tell)


def save_tracked(folder: Folder, kept: Kept[Tracked]) -> None:
    """Store a tracking; points that are there already are not written again.

    Args:
        folder: of this tracking alone.
        kept: it, further than what is there.

    Raises:
        RunFolderError: when the system cannot write.
    """
    there = _record(folder) if (folder / _STATE).exists() else {"parts": [], "points": 0, "state": None}
    points, parts, fields = kept.state.points, list(there["parts"]), vars(replace(kept.state, points=()))
    if len(points) > there["points"]:
        parts.append(f"points-{there['points']:05d}.safetensors")
        save_points(folder / parts[-1], points[there["points"] :], "Chain")
    tensors = {name: value.cpu() for name, value in fields.items() if isinstance(value, Tensor)}
    state = f"state-{kept.state.evaluations:08d}.safetensors" if tensors else None
    if state:
        save_tensors(folder / state, tensors, {})
    plain = {name: value for name, value in fields.items() if name not in ("points", *tensors)}
    record = {"parts": parts, "points": len(points), "state": state, "seconds": kept.seconds, "tracked": plain}
    write_text(folder / _STATE, json.dumps(record))
    if there["state"] not in (None, state):
        (folder / there["state"]).unlink(missing_ok=True)


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
    fields = {**record["tracked"], "points": points, "losses": tuple(record["tracked"]["losses"])}
    if record["state"] is None:
        return Kept(Tracked(**fields), record["seconds"])
    fields |= {name: tensor.clone() for name, tensor in load_tensors(folder / record["state"])[0].items()}
    return Kept(Detour(**fields), record["seconds"])


def _tracked_in_chunks(
    ends: tuple[Params, Params],
    settings: Settings,
    track: Callable[[Settings, Tracked | None], Tracked],
    folder: Folder,
    tell: Tell,
) -> Kept[Tracked]:
    whole = distance(*ends)

    def is_over(kept: Kept[Tracked]) -> bool:
        if kept.state.ended == "seconds":
            return kept.seconds >= settings.seconds
        return kept.state.ended != "evaluations" or kept.state.evaluations >= settings.evaluations

    def advance(kept: Kept[Tracked], evaluations: int) -> Tracked:
        until = min(settings.evaluations, kept.state.evaluations + evaluations)
        budget = replace(settings, evaluations=until, seconds=settings.seconds - kept.seconds)
        return track(budget, kept.state if kept.state.points else None)

    def keep(kept: Kept[Tracked]) -> None:
        save_tracked(folder, kept)
        tell(kept.state.level, distance(kept.state.points[-1], ends[1]) / whole if whole else 0.0)

    return in_chunks(load_tracked(folder) or Kept(_NOTHING), is_over, advance, keep)


def _record(folder: Folder) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PartError(f"{folder / _STATE} cannot be read: {error}", AGAIN) from error
    return record
