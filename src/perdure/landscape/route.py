"""Routes: paths of each kind between two runs, stored with their cost."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path as Folder

from perdure.core.errors import PartError
from perdure.core.random import stream
from perdure.landscape.band import make_band_learner
from perdure.landscape.curve import Bezier, make_bezier_learner, make_polychain_learner
from perdure.landscape.ends import PathEnds
from perdure.landscape.learning import Learner, LearningState, learn_in_chunks
from perdure.landscape.path import Chain, Path, connect_linearly
from perdure.landscape.published import PublishedSettings, track_published_in_chunks
from perdure.landscape.storage import REMEDY, TimedState, load_points, save_points
from perdure.landscape.surface import ModelLoss, count_passes
from perdure.landscape.tracking import TrackingState, ValleySettings
from perdure.landscape.valley import track_valley_in_chunks
from perdure.ops.params import distance
from perdure.records.documents import from_json, to_json
from perdure.records.files import write_bytes
from perdure.records.place import is_local
from perdure.records.times import read_times, write_times

__all__ = ["KINDS", "PathSearch", "Route", "find_route", "load_path", "save_path"]

KINDS = ("linear", "valley", "bezier", "polychain", "band", "published")
"""The kinds of paths."""

_RECORD, _PATH = "route.json", "path.safetensors"
_LEARNING, _TRACKING = "learning.safetensors", "tracking"


_SHAPES = {shape.__name__: shape for shape in (Chain, Bezier)}


@dataclass(frozen=True, eq=False)
class Route:
    """A path that was found.

    Args:
        kind: Kind of the path.
        path: From one end to the other.
        seconds: Time of the search.
        passes: Number of minibatch passes, as in `CountedSurface`.
        ended: Reason for the end of the search.
        is_cut: Whether the time limit ended it, so that more time continues it.
    """

    kind: str
    path: Path
    seconds: float
    passes: float
    ended: str
    is_cut: bool = False


@dataclass(frozen=True, eq=False)
class PathSearch:
    """Settings common to the searches for all kinds of paths.

    Args:
        surface: Loss surface.
        ends: Ends of the paths.
        folder: Folder of the run.
        seconds: Time limit for each tracked path over all calls.
        report: Callback that gets the progress as text.
        allowed: Largest increase of the loss along a tracked path, in nats; None for as much as needed.
        seed: Seed for all random draws.
    """

    surface: ModelLoss
    ends: PathEnds
    folder: Folder
    seconds: float
    report: Callable[[str], None]
    allowed: float | None = None
    seed: int = 0

    def place(self, kind: str) -> Folder:
        """Name the folder of a kind.

        Args:
            kind: Kind of path.

        Returns:
            Where all that belongs to it is kept.
        """
        return self.folder / "paths" / kind


def find_route(search: PathSearch, kind: str) -> Route:
    """Find a path of a kind, or load the one that was found.

    A tracking that ran out of time is resumed when the time limit is larger now. Results are stored at once; a search
    that was interrupted is resumed from its last stored state, at most a few seconds old.

    Args:
        search: Surface, ends and limits.
        kind: Kind of path.

    Returns:
        The route.
    """
    place = search.place(kind)
    stored = _load_route(place, kind)
    if stored is not None and not (stored.is_cut and stored.seconds < search.seconds):
        return stored
    route = _FINDERS[kind](search)
    save_path(place / _PATH, route.path)
    write_times(place, seconds=route.seconds)
    write_bytes(place / _RECORD, to_json({"passes": route.passes, "ended": route.ended, "is_cut": route.is_cut}))
    if not route.is_cut:  # the chunks of a search depend on its speed
        _delete(place / _LEARNING, place / _TRACKING)
    return route


def _load_route(place: Folder, kind: str) -> Route | None:
    """Load a stored route; warn where it is damaged."""
    if not (place / _RECORD).exists():
        return None
    try:
        record = from_json((place / _RECORD).read_bytes())
        seconds = record.pop("seconds", None)  # version 0.1 stored them here
        record["is_cut"] = record.pop("cut", record.get("is_cut"))
        seconds = read_times(place).get("seconds", 0.0) if seconds is None else seconds
        return Route(kind, load_path(place / _PATH), seconds, **record)
    except (PartError, OSError, ValueError, TypeError, AttributeError) as error:
        warnings.warn(f"the path in {place} is damaged, and computed again: {error}", stacklevel=3)
        return None


def _delete(*places: Folder) -> None:
    """Delete the files and folders of a finished search."""
    for place in places:
        if is_local(place) and place.is_dir():
            shutil.rmtree(place)
        else:
            for file in (place, *place.rglob("*")):
                if file.is_file():
                    file.unlink()


def save_path(file: Folder, path: Path) -> None:
    """Store a path by the points that define it.

    Args:
        file: A .safetensors file, which then is whole.
        path: Chain or a Bezier curve.

    Raises:
        RunFolderError: If the system cannot write.
    """
    save_points(file, path.points, type(path).__name__)


def load_path(file: Folder) -> Path:
    """Load what `save_path` stored; names, order and bits of the weights are the same.

    Args:
        file: The .safetensors file.

    Returns:
        The path.

    Raises:
        PartError: If the file is missing or damaged.
    """
    points, shape = load_points(file)
    if shape not in _SHAPES:
        raise PartError(f"{file} holds no path, but {shape!r}", REMEDY)
    return _SHAPES[shape](points)


def _connect(search: PathSearch) -> Route:
    return Route("linear", connect_linearly(search.ends.first, search.ends.second), 0.0, 0.0, "nothing to search")


def _fit_curve(kind: str, ways: Callable[..., Learner[Path]], search: PathSearch) -> Route:
    learner = ways(search.surface, search.ends.first, search.ends.second)

    def report(state: LearningState) -> None:
        search.report(f"{kind}: {state.gradients} of {learner.gradients} gradients")

    generator = stream(search.seed, "path", kind)
    kept = learn_in_chunks(learner, generator, search.place(kind) / _LEARNING, report)
    passes = count_passes(kept.state.evaluations, kept.state.gradients, search.surface.size, learner.batch_size)
    return Route(kind, learner.path(kept.state), kept.seconds, passes, f"after {kept.state.gradients} gradients")


def _track_valley(search: PathSearch) -> Route:
    settings = ValleySettings(search.allowed, seconds=search.seconds)
    report, place = _make_report("valley", search), search.place("valley") / _TRACKING
    kept = track_valley_in_chunks(search.surface, (search.ends.first, search.ends.second), settings, place, report)
    return _complete("valley", kept, settings.batch_size, search)


def _track_published(search: PathSearch) -> Route:
    settings = PublishedSettings(search.allowed or 0.0, seconds=search.seconds)
    report, place = _make_report("published", search), search.place("published") / _TRACKING
    ends, generator = (search.ends.first, search.ends.second), stream(search.seed, "path", "published")
    kept = track_published_in_chunks(search.surface, ends, settings, generator, place, report)
    return _complete("published", kept, settings.batch_size, search)


def _make_report(kind: str, search: PathSearch) -> Callable[[float, float], None]:
    def report(level: float, left: float) -> None:
        search.report(f"{kind}: loss at most {level:.4g} nats, {left:.0%} of the distance left")

    return report


_FINDERS: dict[str, Callable[[PathSearch], Route]] = {
    "linear": _connect,
    "valley": _track_valley,
    "bezier": partial(_fit_curve, "bezier", make_bezier_learner),
    "polychain": partial(_fit_curve, "polychain", make_polychain_learner),
    "band": partial(_fit_curve, "band", make_band_learner),
    "published": _track_published,
}


def _complete(kind: str, kept: TimedState[TrackingState], batch_size: int, search: PathSearch) -> Route:
    """Complete a tracking that did not reach its target by a straight line, and report it."""
    tracked, ends, cut = kept.state, search.ends, kept.state.ended == "seconds"
    passes = count_passes(tracked.evaluations, tracked.gradients, search.surface.size, batch_size)
    whole, left = distance(ends.first, ends.second), distance(tracked.points[-1], ends.second)
    if left == 0:
        return Route(kind, tracked.path, kept.seconds, passes, "reached the other end")
    ended = (
        f"{_REASONS[tracked.ended]} with {left / whole:.0%} of the distance left and an increase of "
        f"{tracked.increase:.4g} so far; the rest is a straight line"
    )
    path = Chain((*tracked.points, ends.second))
    return Route(kind, path, kept.seconds, passes, ended, cut)


_REASONS = {
    "target": "near the other end",
    "stalled": "stalled: no step below the bound came closer",
    "evaluations": "out of evaluations",
    "seconds": "out of time",
}
