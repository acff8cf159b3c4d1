"""Pieces of work, in this process or in several; the result is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import torch

__all__ = ["Progress", "run_pieces"]

Progress = Callable[[int, int], None]
"""Told how many pieces are done, and how many there are."""


def run_pieces(
    work: Callable[[int], object], pieces: Sequence[int], workers: int = 1, progress: Progress | None = None
) -> None:
    """Do every piece once; each keeps its own result, so that what is done survives an interruption.

    Randomness belongs to the piece, never to the worker, so the number of workers changes nothing but the time.

    Args:
        work: does one piece and stores its result; picklable when there are several workers.
        pieces: the numbers of the pieces.
        workers: processes; 1 works in this one.
        progress: told after each piece.

    Raises:
        Exception: the first failure, after the pieces under way are finished.
    """
    report = progress or _quiet
    report(0, len(pieces))
    if workers == 1 or len(pieces) < 2:
        for done, piece in enumerate(pieces, start=1):
            work(piece)
            report(done, len(pieces))
        return
    threads = max(1, torch.get_num_threads() // workers)
    with ProcessPoolExecutor(
        min(workers, len(pieces)), get_context("spawn"), torch.set_num_threads, (threads,)
    ) as pool:
        futures = [pool.submit(work, piece) for piece in pieces]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                report(done, len(pieces))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _quiet(_done: int, _total: int) -> None:
    """Say nothing."""
