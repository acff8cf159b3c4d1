"""Engines of one machine: this process, or several."""

from __future__ import annotations

import os
import pickle
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, connection, get_context, parent_process
from threading import Thread

import torch

from perdure.core.copy import without_graphs
from perdure.core.errors import EngineError, UnsupportedError
from perdure.core.threads import one_thread
from perdure.engine.piece import DEATHS, Work, begin, do, finish

__all__ = ["InProcess", "Processes"]


@dataclass(frozen=True)
class InProcess:
    """Do the pieces one after the other in this process; the result of one is stored behind the work of the next."""

    def run(self, work: Work, pieces: Sequence[int]) -> Iterator[int]:
        """Do every piece once.

        Args:
            work: Does a piece.
            pieces: The numbers of the pieces.

        Yields:
            The number of each piece when its result is stored.
        """
        with one_thread(), ThreadPoolExecutor(1) as behind:
            storing: Future[int] | None = None
            for piece in pieces:
                rest = begin(work, piece)
                if storing is not None:
                    yield storing.result()
                storing = None if rest is None else behind.submit(finish, rest, piece)
                if storing is None:
                    yield piece
            if storing is not None:
                yield storing.result()


@dataclass(frozen=True)
class Processes:
    """Share the pieces among processes; those that a dying process had under way are done again.

    Args:
        workers: How many.
    """

    workers: int

    def run(self, work: Work, pieces: Sequence[int]) -> Iterator[int]:
        """Do every piece once.

        Args:
            work: Does a piece; picklable.
            pieces: The numbers of the pieces.

        Yields:
            The number of each piece when its result is stored.

        Raises:
            EngineError: When processes die again and again while they work on the same piece.
            UnsupportedError: When the work cannot be sent to another process.
        """
        waiting, deaths = deque(pieces), Counter[int]()
        while waiting:
            under_way: dict[Future[int], int] = {}
            others = set(active_children())
            with _pool(without_graphs(work), min(self.workers, len(waiting))) as pool:
                try:
                    while waiting or under_way:
                        while waiting and len(under_way) <= self.workers:
                            piece = waiting.popleft()
                            under_way[_submitted(pool, piece)] = piece
                        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                            yield future.result()
                            del under_way[future]
                except KeyboardInterrupt:
                    pool.shutdown(wait=False, cancel_futures=True)
                    for worker in set(active_children()) - others:
                        worker.terminate()
                    raise
                except BrokenProcessPool as error:
                    deaths.update(under_way.values())
                    _check_deaths(deaths, error)
                    waiting.extendleft(under_way.values())


def _pool(work: Work, workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, get_context("spawn"), _start, (work,))


def _submitted(pool: ProcessPoolExecutor, piece: int) -> Future[int]:
    """Hand a piece over; the pool may start a process for it, which gets the work.

    A process that starts inherits the signals that are blocked: Ctrl-C is for the one that hands out the pieces.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
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
            "look at the messages above: too little memory is the usual cause, then use fewer workers; a script needs "
            "'if __name__ == \"__main__\":' around its calls; finished parts are kept",
        ) from error


_WORK: list[Work] = []
"""What this process does, if it is a worker."""


def _start(work: Work) -> None:
    torch.set_num_threads(1)
    _WORK.append(work)
    Thread(target=_end_with_parent, daemon=True).start()


def _do(piece: int) -> int:
    return do(_WORK[0], piece)


def _end_with_parent() -> None:
    """Leave at once when the process that hands out the pieces was killed."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
