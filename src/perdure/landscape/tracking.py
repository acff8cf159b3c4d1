"""Settings and state of valley tracking, and its storage."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path as Folder
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import PartError, SettingError, user_code_errors
from perdure.landscape.path import Chain
from perdure.landscape.storage import (
    REMEDY,
    TimedState,
    load_points,
    load_tensors,
    resume_search,
    run_in_chunks,
    save_points,
    save_tensors,
)
from perdure.ops.params import Params, distance
from perdure.records.documents import from_json, to_json
from perdure.records.files import write_bytes

__all__ = [
    "PublishedState",
    "Report",
    "TrackingState",
    "ValleySettings",
    "load_tracking",
    "save_tracking",
    "track_in_chunks",
]


@dataclass(frozen=True)
class ValleySettings:
    """How to track a valley.

    Args:
        allowed: Largest excess of the loss over that of the worse end, in nats; None lets it lie above by the
            standard error of that loss, and rise further where there is no other way, so that the increase is a result.
        longest: Longest step, as a fraction of the distance between the ends.
        least: Decrease of the distance to the target by each step, as a fraction of that between the ends; so
            there are at most 1 / least steps, and a path that comes no closer has stalled.
        between: Number of points inside each step that must also keep the bound; each costs a loss.
        corrections: Number of gradients after a step, before its loss is computed.
        rounds: Number of rounds of corrections before a shorter step is tried.
        batch_size: Samples of a gradient.
        evaluations: Losses of points after which no further step begins.
        seconds: Time after which no further step begins.

    Raises:
        SettingError: For a value that cannot be used.
    """

    allowed: float | None = None
    longest: float = 0.05
    least: float = 1e-3
    between: int = 1
    corrections: int = 8
    rounds: int = 4
    batch_size: int = 256
    evaluations: int = 10_000
    seconds: float = math.inf

    def __post_init__(self) -> None:
        check_counts(evaluations=self.evaluations, between=self.between + 1, batch_size=self.batch_size)
        check_counts(corrections=self.corrections, rounds=self.rounds)
        if not 0 < self.least < self.longest <= 1:
            raise SettingError(
                f"least is {self.least} and longest is {self.longest}",
                "give 0 < least < longest <= 1, for example 0.001 and 0.05",
            )
        if self.allowed is not None and not self.allowed >= 0:
            raise SettingError(f"allowed is {self.allowed}", "give a loss increase of at least 0, or None")


@dataclass(frozen=True, eq=False)
class TrackingState:
    """State of the tracking of a valley.

    Args:
        points: Points of the path from the start; the last one is the target when it was reached.
        losses: Mean loss at each point.
        level: Upper bound of the loss at all points and at checked points between them.
        increase: Increase of the loss over that of the worse end that the path needed.
        ended: Reason for the end: at the target, stalled, or out of evaluations or time.
        stride: Length of the last step.
        evaluations: Losses of points that were computed, in all.
        gradients: Gradients that were computed, in all.
    """

    points: tuple[Params, ...]
    losses: tuple[float, ...]
    level: float
    increase: float
    ended: Literal["target", "stalled", "evaluations", "seconds"]
    stride: float
    evaluations: int
    gradients: int

    @property
    def path(self) -> Chain:
        """The points, joined by straight pieces; a tracking that took no step has none."""
        return Chain(self.points)


@dataclass(frozen=True, eq=False)
class PublishedState(TrackingState):
    """State of the published tracking of a valley: all that its next step depends on.

    Args:
        base: Number of the point where the straight line starts.
        share: Fraction of the straight line from there.
        slope: Required descent.
        moments: Running means of gradient and squared gradient that Adam has of the way.
        moves: Steps that Adam has taken.
        random: State of the generator of samples.
    """

    base: int
    share: float
    slope: float
    moments: Float[Tensor, "2 weight"]
    moves: int
    random: Int[Tensor, " byte"]


_STATE = "tracked.json"
_NOTHING = TrackingState((), (), 0.0, 0.0, "evaluations", 0.0, 0, 0)

Report = Callable[[float, float], None]
"""Callback that gets the upper bound of the loss and the remaining fraction of the distance."""


Track = Callable[[int, float, TrackingState | None], TrackingState]
"""From the limits of evaluations and seconds and the tracking so far to the tracking after more steps."""


def save_tracking(folder: Folder, kept: TimedState[TrackingState]) -> None:
    """Store a tracking; points that are there already are not written again.

    Args:
        folder: Folder of this tracking alone.
        kept: Tracking, not behind the stored one.

    Raises:
        RunFolderError: If the system cannot write.
    """
    there = _record(folder) if (folder / _STATE).exists() else {"parts": [], "points": 0, "state": None}
    points, parts, fields = kept.state.points, list(there["parts"]), vars(replace(kept.state, points=()))
    # Write new points only: a path of many large models would otherwise be rewritten every few seconds.
    if len(points) > there["points"]:
        parts.append(f"points-{there['points']:05d}.safetensors")
        save_points(folder / parts[-1], points[there["points"] :], "Chain")
    tensors = {name: value.cpu() for name, value in fields.items() if isinstance(value, Tensor)}
    state = f"state-{kept.state.evaluations:08d}.safetensors" if tensors else None
    if state:
        save_tensors(folder / state, tensors, {})
    plain = {name: value for name, value in fields.items() if name not in ("points", *tensors)}
    record = {"parts": parts, "points": len(points), "state": state, "seconds": kept.seconds, "tracked": plain}
    write_bytes(folder / _STATE, to_json(record))
    # Delete the old state only after the record names the new one, so that a kill at any moment leaves a whole state.
    if there["state"] not in (None, state):
        (folder / there["state"]).unlink(missing_ok=True)


def load_tracking(folder: Folder) -> TimedState[TrackingState] | None:
    """Load what `save_tracking` stored; partial files of a killed process are ignored.

    Args:
        folder: Folder of this tracking alone.

    Returns:
        It, or None where there is none.

    Raises:
        PartError: If a file is missing or damaged.
    """
    if not (folder / _STATE).exists():
        return None
    with user_code_errors(PartError, f"{folder / _STATE} holds no tracking: its reader", REMEDY):
        record = _record(folder)
        points = tuple(point for part in record["parts"] for point in load_points(folder / part)[0])
        fields = {**record["tracked"], "points": points, "losses": tuple(record["tracked"]["losses"])}
        if record["state"] is None:
            return TimedState(TrackingState(**fields), record["seconds"])
        fields |= {name: tensor.clone() for name, tensor in load_tensors(folder / record["state"])[0].items()}
        return TimedState(PublishedState(**fields), record["seconds"])


def track_in_chunks(
    track: Track, ends: tuple[Params, Params], evaluations: int, seconds: float, folder: Folder, report: Report
) -> TimedState[TrackingState]:
    """Track a valley and store it every few seconds; resume a tracking stored in the folder.

    Args:
        track: Function that continues a tracking within limits.
        ends: Start and target.
        evaluations: Limit of loss evaluations over all calls.
        seconds: Limit of wall time over all calls.
        folder: Folder of this tracking alone.
        report: Callback after each chunk.

    Returns:
        The tracking at its end, or out of evaluations or time.
    """
    whole = distance(*ends)

    def is_over(kept: TimedState[TrackingState]) -> bool:
        if kept.state.ended == "seconds":
            return kept.seconds >= seconds
        return kept.state.ended != "evaluations" or kept.state.evaluations >= evaluations

    def advance(kept: TimedState[TrackingState], more: int) -> TrackingState:
        until = min(evaluations, kept.state.evaluations + more)
        return track(until, seconds - kept.seconds, kept.state if kept.state.points else None)

    def keep(kept: TimedState[TrackingState]) -> None:
        save_tracking(folder, kept)
        report(kept.state.level, distance(kept.state.points[-1], ends[1]) / whole if whole else 0.0)

    start = resume_search(lambda: load_tracking(folder), folder / _STATE)
    return run_in_chunks(start or TimedState(_NOTHING), is_over, advance, keep)


def _record(folder: Folder) -> dict[str, Any]:
    try:
        return from_json((folder / _STATE).read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise PartError(f"{folder / _STATE} cannot be read: {error}", REMEDY) from error
