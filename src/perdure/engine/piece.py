"""A piece of work: what every engine does with one, and how it goes about failures."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from perdure.core.errors import PerdureError

__all__ = ["DEATHS", "Engine", "Work", "begin", "do", "finish"]

T = TypeVar("T")

Work = Callable[[int], object]
"""Does the piece of a number and stores its result, or returns a function that stores it.

Such a function takes no argument and may run while the next piece is worked on.
"""

DEATHS = 3
"""How often a piece may be under way when a worker dies before it is given up."""

WAITS = (0.1, 1.0)
"""Seconds before a piece is tried again after a failure that may pass."""

PASSING = {
    *(errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT),
    *(errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ENETDOWN, errno.ENETUNREACH),
}


class Engine(Protocol):
    """A way to do many pieces."""

    def run(self, work: Work, pieces: Sequence[int]) -> Iterator[int]:
        """Do every piece once, and yield the number of each as soon as its result is stored."""
        ...


def do(work: Work, piece: int) -> int:
    """Do one piece to its end.

    Args:
        work: What to do.
        piece: The number of the piece.

    Returns:
        The number of the piece.
    """
    rest = begin(work, piece)
    return piece if rest is None else finish(rest, piece)


def begin(work: Work, piece: int) -> Callable[[], object] | None:
    """Do one piece, up to the storing of its result.

    Args:
        work: What to do.
        piece: The number of the piece.

    Returns:
        What stores the result; None when that is done.
    """
    with _named(piece):
        rest = _patiently(lambda: work(piece))
    return rest if callable(rest) else None


def finish(rest: Callable[[], object], piece: int) -> int:
    """Store the result of a piece.

    Args:
        rest: What `begin` returned.
        piece: The number of the piece.

    Returns:
        The number of the piece.
    """
    with _named(piece):
        _patiently(rest)
    return piece


def _patiently(function: Callable[[], T]) -> T:
    """Call a function, and again after a failure of disk or network that may pass."""
    for seconds in WAITS:
        try:
            return function()
        except (OSError, PerdureError) as error:
            if not _may_pass(error):
                raise
            time.sleep(seconds)
    return function()


def _may_pass(error: BaseException) -> bool:
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, TimeoutError | ConnectionError) or getattr(cause, "errno", None) in PASSING


@contextmanager
def _named(piece: int) -> Iterator[None]:
    """Name the piece in which something fails."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"this came up in part {piece}; finished parts are kept")
        raise
