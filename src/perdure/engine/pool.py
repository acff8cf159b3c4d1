"""Do pieces of work in this process or in several; the result is the same."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, connection, get_context, parent_process, resource_tracker
from threading import Thread
from typing import Protocol, TypeVar

import torch

from perdure.core.copy import without_graphs
from perdure.core.errors import EngineError, PerdureError, UnsupportedError
from perdure.core.exclusive import exclusive
from perdure.core.resources import limit_rows, row_bound, single_thread

__all__ = ["DEATHS", "Engine", "InProcess", "Processes", "Progress", "Work", "begin", "do", "finish", "run_pieces"]


T = TypeVar("T")

Work = Callable[[int], object]
"""A function of the number of a piece that stores its result, or returns a function that stores it.

Such a function takes no argument and may run while the next piece is computed.
"""

DEATHS = 3
"""Number of deaths of workers after which a piece is not tried again."""

WAITS = (0.1, 1.0)
"""Seconds before a piece is tried again after a failure that may be temporary."""

TEMPORARY = {
    *(errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT),
    *(errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ENETDOWN, errno.ENETUNREACH),
}


class Engine(Protocol):
    """A way to do many pieces of work."""

    def run(self, work: Work, pieces: Sequence[int]) -> Generator[int, None, None]:
        """Do every piece once, and yield the number of each as soon as its result is stored."""
        ...


def do(work: Work, piece: int) -> int:
    """Do one piece to its end.

    Args:
        work: Work of which the piece is a part.
        piece: Number of the piece.

    Returns:
        The number of the piece.
    """
    store = begin(work, piece)
    return piece if store is None else finish(store, piece)


def begin(work: Work, piece: int) -> Callable[[], object] | None:
    """Do one piece, except for storing its result.

    Args:
        work: Work of which the piece is a part.
        piece: Number of the piece.

    Returns:
        The function that stores the result; None when it is stored.
    """
    with _note_piece(piece):
        store = _retry(lambda: work(piece))
    return store if callable(store) else None


def finish(store: Callable[[], object], piece: int) -> int:
    """Store the result of a piece.

    Args:
        store: Function that `begin` returned.
        piece: Number of the piece.

    Returns:
        The number of the piece.
    """
    with _note_piece(piece):
        _retry(store)
    return piece


def _retry(function: Callable[[], T]) -> T:
    """Call a function, and again after a temporary failure of disk or network."""
    for seconds in WAITS:
        try:
            return function()
        except (OSError, PerdureError) as error:
            if not _is_temporary(error):
                raise
            time.sleep(seconds)
    return function()


def _is_temporary(error: BaseException) -> bool:
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, TimeoutError | ConnectionError) or getattr(cause, "errno", None) in TEMPORARY


@contextmanager
def _note_piece(piece: int) -> Iterator[None]:
    """Add the number of the piece to an error."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"this happened in part {piece}; finished parts are kept")
        raise


@dataclass(frozen=True)
class InProcess:
    """Do the pieces one after the other in this process; a result is stored while the next piece is computed."""

    def run(self, work: Work, pieces: Sequence[int]) -> Generator[int, None, None]:
        """Do every piece once.

        Args:
            work: Work that does a piece.
            pieces: Numbers of the pieces.

        Yields:
            The number of each piece when its result is stored.
        """
        with single_thread(), ThreadPoolExecutor(1) as behind:
            storing: Future[int] | None = None
            for piece in pieces:
                store = begin(work, piece)
                if storing is not None:
                    yield storing.result()
                storing = None if store is None else behind.submit(finish, store, piece)
                if storing is None:
                    yield piece
            if storing is not None:
                yield storing.result()


@dataclass(frozen=True)
class Processes:
    """Divide the pieces among processes; the unfinished pieces of a process that dies are done again.

    Args:
        workers: Number of processes.
    """

    workers: int

    def run(self, work: Work, pieces: Sequence[int]) -> Generator[int, None, None]:
        """Do every piece once.

        Args:
            work: Work that does a piece; picklable.
            pieces: Numbers of the pieces.

        Yields:
            The number of each piece when its result is stored.

        Raises:
            EngineError: When processes die again and again while they work on the same piece.
            UnsupportedError: When the work cannot be sent to another process.
        """
        waiting, deaths = deque(pieces), Counter[int]()
        while waiting:
            in_progress: dict[Future[int], int] = {}
            existing = set(active_children())
            with _pool(without_graphs(work), min(self.workers, len(waiting))) as pool:
                try:
                    while waiting or in_progress:
                        while waiting and len(in_progress) <= self.workers:
                            piece = waiting.popleft()
                            in_progress[_submit(pool, piece)] = piece
                        for future in wait(in_progress, return_when=FIRST_COMPLETED).done:
                            yield future.result()
                            del in_progress[future]
                except (KeyboardInterrupt, GeneratorExit):
                    pool.shutdown(wait=False, cancel_futures=True)
                    for worker in set(active_children()) - existing:
                        worker.terminate()
                    raise
                except BrokenProcessPool as error:
                    deaths.update(in_progress.values())
                    _check_deaths(deaths, error)
                    waiting.extendleft(in_progress.values())


def _pool(work: Work, workers: int) -> ProcessPoolExecutor:
    """Make the pool, whose locks start the tracker of Python, which is to outlast a closed terminal."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return ProcessPoolExecutor(workers, get_context("spawn"), _start, (work,))


def _submit(pool: ProcessPoolExecutor, piece: int) -> Future[int]:
    """Submit a piece; the pool may start a process for it, which receives the work.

    A process that starts inherits the signals that are blocked: Ctrl-C is for the process that submits the pieces.
    The tracker of Python, which would unblock them, runs since the pool was made.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with exclusive():
            return pool.submit(_do, piece)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UnsupportedError(
            f"the work cannot be sent to another process: {error}",
            "use one worker, or define the model and its functions at the top level of a module that can be imported",
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _check_deaths(deaths: Counter[int], error: BrokenProcessPool) -> None:
    lost = sorted(piece for piece, count in deaths.items() if count >= DEATHS)
    if lost:
        raise EngineError(
            f"processes died {DEATHS} times while they worked on part {' or '.join(map(str, lost))}",
            "read the messages above: too little memory is the usual cause, then use fewer workers; a script needs "
            "'if __name__ == \"__main__\":' around its calls; finished parts are kept",
        ) from error


_WORK: list[Work] = []
"""The work of this process, if it is a worker."""


def _start(work: Work) -> None:
    torch.set_num_threads(1)
    _WORK.append(work)
    Thread(target=_end_with_parent, daemon=True).start()


def _do(piece: int) -> int:
    return do(_WORK[0], piece)


def _end_with_parent() -> None:
    """Exit at once when the process that submits the pieces was killed."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


Progress = Callable[[int, int], None]
"""Function of the number of pieces done and the number of all pieces."""


def run_pieces(work: Work, pieces: Sequence[int], workers: int | Engine = 1, progress: Progress | None = None) -> None:
    """Do every piece once; each stores its result, so that finished pieces survive an interruption.

    Random draws depend on the piece, never on the worker, and every piece has one thread, as sums over several depend
    on their number: the engine and the number of its workers change only the time.

    Args:
        work: Work that does one piece and stores its result, or returns a function that stores it; picklable when
            there are several workers.
        pieces: Numbers of the pieces.
        workers: Number of processes, where 1 uses this one; or an engine.
        progress: Function that is called after each piece.

    Raises:
        Exception: The first failure, after the pieces in progress are finished; a note names its piece.
    """
    report = progress or _quiet
    report(0, len(pieces))
    with closing(_engine(workers, len(pieces)).run(_keep_limit(work), pieces)) as numbers:
        for done, _ in enumerate(numbers, start=1):
            report(done, len(pieces))


@dataclass(frozen=True)
class _LimitedWork:
    """Work in another process with the bound on rows of this one.

    Args:
        work: Piece of work.
        rows: Maximum number of rows in each call of a model.
    """

    work: Work
    rows: int

    def __call__(self, piece: int) -> object:
        with limit_rows(self.rows):
            return self.work(piece)


def _keep_limit(work: Work) -> Work:
    rows = row_bound()
    return work if rows is None else _LimitedWork(work, rows)


def _engine(workers: int | Engine, pieces: int) -> Engine:
    if not isinstance(workers, int):
        return workers
    return InProcess() if workers == 1 or pieces < 2 else Processes(workers)


def _quiet(_done: int, _total: int) -> None:
    """Report no progress."""
