"""Searches in chunks: each is stored when it is done, so that what is cut goes on from the last of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Kept", "in_chunks"]

CHUNK = 5.0
"""Seconds that a chunk is to take."""

FIRST = 8
"""Units of work of the first chunk; later ones have more or fewer, as they took less or more time."""

State = TypeVar("State")


@dataclass(frozen=True, eq=False)
class Kept(Generic[State]):
    """How far a search came, with the time it has taken over all calls.

    Args:
        state: all that it needs to go on.
        seconds: of wall time, without what was lost when it was cut.
    """

    state: State
    seconds: float = 0.0


def in_chunks(
    kept: Kept[State],
    is_over: Callable[[Kept[State]], bool],
    advance: Callable[[Kept[State], int], State],
    keep: Callable[[Kept[State]], None],
) -> Kept[State]:
    """Search until it is over, a few seconds at a time.

    What is found does not depend on the chunks when `advance` goes on as if it had never stopped.

    Args:
        kept: where to begin.
        is_over: tells whether there is nothing left to do.
        advance: does so many units of work.
        keep: stores what there is after each chunk, and tells of it.

    Returns:
        The search at its end.

    Example:
        >>> seen = []
        >>> found = in_chunks(Kept(0), lambda one: one.state >= 20, lambda one, count: one.state + count, seen.append)
        >>> found.state, [one.state for one in seen]
        (24, [8, 24])
    """
    count = FIRST
    while not is_over(kept):
        begun = time.monotonic()
        state = advance(kept, count)
        seconds = time.monotonic() - begun
        count = max(1, count * 2 if seconds < CHUNK else count // 2)
        kept = Kept(state, kept.seconds + seconds)
        keep(kept)
    return kept
