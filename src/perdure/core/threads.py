"""How many threads work on what: one on each of several small pieces, rather than all on one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

__all__ = ["one_thread", "side_by_side"]

Piece = TypeVar("Piece")
Found = TypeVar("Found")


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread for a while.

    Threads that share a small operation wait for each other longer than they work, the more so beside other programs.

    Yields:
        Nothing.

    Example:
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def side_by_side(work: Callable[[Piece], Found], pieces: Iterable[Piece]) -> Iterator[Found]:
    """Work on as many pieces at a time as torch has threads, with one thread each.

    Args:
        work: what to do with a piece; it gains where most of it runs in torch, numpy or scikit-learn.
        pieces: what to work on.

    Yields:
        What is found for each piece, in their order.

    Example:
        >>> list(side_by_side(torch.sum, [torch.ones(2), torch.ones(3)]))
        [tensor(2.), tensor(3.)]
    """
    cores = torch.get_num_threads()
    with one_thread(), ThreadPoolExecutor(cores) as threads:
        yield from threads.map(work, pieces)
