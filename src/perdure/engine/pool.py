"""Pieces of work, by any engine; the result is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perdure.core.memory import limit_rows, row_bound
from perdure.engine.local import InProcess, Processes
from perdure.engine.piece import Engine, Work

__all__ = ["Progress", "run_pieces"]

Progress = Callable[[int, int], None]
"""Told how many pieces are done, and how many there are."""


def run_pieces(work: Work, pieces: Sequence[int], workers: int | Engine = 1, progress: Progress | None = None) -> None:
    """Do every piece once; each keeps its own result, so that what is done survives an interruption.

    Randomness belongs to the piece, never to the worker, and sums over several threads depend on how they are shared
    out, so that every piece has one thread: the engine and the number of its workers change nothing but the time.

    Args:
        work: Does one piece and stores its result, or returns a function that stores it; picklable when there are
            several workers.
        pieces: The numbers of the pieces.
        workers: Processes, where 1 works in this one; or an engine.
        progress: Told after each piece.

    Raises:
        Exception: The first failure, after the pieces under way are finished; a note tells in which piece.
    """
    report = progress or _quiet
    report(0, len(pieces))
    for done, _ in enumerate(_engine(workers, len(pieces)).run(_keep_limit(work), pieces), start=1):
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
    """Say nothing."""
