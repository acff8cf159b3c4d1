"""Routes: paths of each kind between two runs, found once and kept with what they cost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path as Folder

from perdure.audit.ends import Ends
from perdure.audit.path_settings import PathSettings
from perdure.core.random import stream
from perdure.landscape.band import Band, band
from perdure.landscape.bend import Bend
from perdure.landscape.bezier import bezier
from perdure.landscape.counted import Counted
from perdure.landscape.linear import linear
from perdure.landscape.path import Chain, Path
from perdure.landscape.polychain import polychain
from perdure.landscape.published import Published, published_valley
from perdure.landscape.stored import Kept, load_path, save_path, tracked_in_chunks
from perdure.landscape.surface import ModelLoss
from perdure.landscape.tracked import Valley
from perdure.ops.params import distance
from perdure.records.files import write_text

__all__ = ["Route", "Search", "find"]

_RECORD, _PATH = "route.json", "path.safetensors"


@dataclass(frozen=True, eq=False)
class Route:
    """A path that was found.

    Args:
        kind: of the path.
        path: from one end to the other.
        seconds: it took to find.
        passes: of minibatches that it took, as `Counted` counts them.
        ended: why the search ended, in words.
    """

    kind: str
    path: Path
    seconds: float
    passes: float
    ended: str


@dataclass(frozen=True, eq=False)
class Search:
    """What the searches for all kinds of paths have in common.

    Args:
        surface: the loss.
        ends: of the paths.
        settings: what is asked.
        folder: of the run.
        seconds: for each path that is tracked, over all calls.
        tell: hears in words how far the search is.
    """

    surface: ModelLoss
    ends: Ends
    settings: PathSettings
    folder: Folder
    seconds: float
    tell: Callable[[str], None]

    def place(self, kind: str) -> Folder:
        """Name the folder of a kind.

        Args:
            kind: of path.

        Returns:
            Where all that belongs to it is kept.
        """
        return self.folder / "paths" / kind


def find(search: Search, kind: str) -> Route:
    """Find a path of a kind, or load the one that was found.

    A tracking that ran out of time goes on when there is more of it now. What is found is stored at once; the
    learning of a curve starts again when it is cut, a tracking goes on from its last chunk.

    Args:
        search: what to find it with.
        kind: of path.

    Returns:
        The route.
    """
    place = search.place(kind)
    if (place / _RECORD).exists():
        record = json.loads((place / _RECORD).read_text(encoding="utf-8"))
        if not record.pop("cut") or record["seconds"] >= search.seconds:
            return Route(kind, load_path(place / _PATH), **record)
    route, cut = _FINDERS[kind](search)
    save_path(place / _PATH, route.path)
    record = {"seconds": route.seconds, "passes": route.passes, "ended": route.ended, "cut": cut}
    write_text(place / _RECORD, json.dumps(record, indent=2))
    return route


def _straight(search: Search) -> tuple[Route, bool]:
    return Route("linear", linear(search.ends.first, search.ends.second), 0.0, 0.0, "nothing to search"), False


def _curve(kind: str, lay: Callable[..., Path], gradients: int, search: Search) -> tuple[Route, bool]:
    counted = Counted(search.surface, lambda done: search.tell(f"{kind}: {done} of {gradients} gradients"))
    begun = time.monotonic()
    path = lay(counted, search.ends.first, search.ends.second, stream(search.settings.seed, "path", kind))
    return Route(kind, path, time.monotonic() - begun, counted.passes, f"after {gradients} gradients"), False


def _tracked(search: Search) -> tuple[Route, bool]:
    def tell(level: float, left: float) -> None:
        search.tell(f"valley: loss at most {level:.4g} nats, {left:.0%} of the distance left")

    ends, settings = search.ends, Valley(search.settings.allowed, seconds=search.seconds)
    place = search.place("valley") / "tracking"
    kept = tracked_in_chunks(Counted(search.surface), (ends.first, ends.second), settings, place, tell)
    return _completed("valley", kept, ends)


def _published(search: Search) -> tuple[Route, bool]:
    search.tell("published: not told until it ends")
    counted, begun, ends = Counted(search.surface), time.monotonic(), search.ends
    settings = Published(search.settings.allowed or 0.0, seconds=search.seconds)
    generator = stream(search.settings.seed, "path", "published")
    tracked = published_valley(counted, ends.first, ends.second, settings, generator)
    return _completed("published", Kept(tracked, time.monotonic() - begun, counted.passes), ends)


def _of_band(settings: Band) -> int:
    """Count the gradients that a band takes."""
    return settings.steps * sum(settings.pivots + k for k in range(settings.insertions + 1))


_FINDERS: dict[str, Callable[[Search], tuple[Route, bool]]] = {
    "linear": _straight,
    "valley": _tracked,
    "bezier": partial(_curve, "bezier", bezier, Bend().steps),
    "polychain": partial(_curve, "polychain", polychain, Bend().steps),
    "band": partial(_curve, "band", band, _of_band(Band())),
    "published": _published,
}


def _completed(kind: str, kept: Kept, ends: Ends) -> tuple[Route, bool]:
    """Lay the straight rest of a tracking that did not come to its end, and say so."""
    tracked, cut = kept.tracked, kept.tracked.ended == "seconds"
    whole, left = distance(ends.first, ends.second), distance(tracked.points[-1], ends.second)
    if left == 0:
        return Route(kind, tracked.path, kept.seconds, kept.passes, "reached the other end"), False
    ended = (
        f"{_WORDS[tracked.ended]} with {left / whole:.0%} of the distance left and an increase of "
        f"{tracked.increase:.4g} so far; the rest is a straight line"
    )
    path = Chain((*tracked.points, ends.second))
    return Route(kind, path, kept.seconds, kept.passes, ended), cut


_WORDS = {
    "target": "near the other end",
    "stalled": "stalled: no step below the bound came closer",
    "evaluations": "out of evaluations",
    "seconds": "out of time",
}
