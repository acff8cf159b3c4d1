"""Limits of memory, rows and threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from math import prod
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from perdure.core.errors import SettingError
from perdure.core.memory import available_memory

__all__ = [
    "keep_freed_memory",
    "limit_rows",
    "limited_memory",
    "map_threads",
    "row_bound",
    "row_limit",
    "single_thread",
]

FEWEST_ROWS, MOST_ROWS = 4, 2048
NUMBERS, NUMBERS_ON_DEVICE = 2**18, 2**24
"""Rows and input numbers in one call where no batch size is given. On a CPU, more numbers make the activations of a
small network leave the caches: integrated gradients of a convolutional network take 282 ms with 1024 rows of 3072
numbers and 140 to 185 ms with 32 to 64; recurrent networks gain from many rows. Accelerators are idle with few."""

_ROWS: ContextVar[int | None] = ContextVar("rows", default=None)

LARGEST = 31 * 2**20
"""Bytes, just below the 32 MiB that glibc learns from at most."""


@contextmanager
def limited_memory() -> Iterator[None]:
    """Reject a model whose weights do not fit in memory, before any is allocated.

    Yields:
        Nothing; build the model inside.

    Raises:
        SettingError: When the tensors allocated on the CPU need more than is available.

    Example:
        >>> with limited_memory():
        ...     torch.nn.Linear(10**7, 10**7)
        Traceback (most recent call last):
        perdure.core.errors.SettingError: the weights of the model need 400000.00 GB of memory or more, but only ...
    """
    with _Allocations(available_memory()):
        yield


@contextmanager
def limit_rows(most: int | None) -> Iterator[None]:
    """Bound the rows of each call of a model where no other batch size is given; results do not depend on it.

    The engines pass the bound to their workers.

    Args:
        most: Maximum number of rows in a call, perturbed copies included; None for no bound.

    Yields:
        Nothing.

    Raises:
        SettingError: If the maximum is below 1.

    Example:
        >>> with limit_rows(3):
        ...     row_bound()
        3
    """
    if most is not None and most < 1:
        raise SettingError(f"batch_size is {most}", "pass a number of at least 1")
    token = _ROWS.set(most)
    try:
        yield
    finally:
        _ROWS.reset(token)


def row_bound() -> int | None:
    """Return the maximum number of rows that `limit_rows` set; None for no bound."""
    return _ROWS.get()


def row_limit(x: Float[Tensor, "batch *site"]) -> int:
    """Choose how many rows go through a model in one call where no batch size is given.

    Args:
        x: samples.

    Returns:
        Fewer rows for larger samples.

    Example:
        >>> row_limit(torch.zeros(1, 50, 20)), row_limit(torch.zeros(1, 3, 224, 224))
        (262, 4)
    """
    if (bound := row_bound()) is not None:
        return bound
    numbers = NUMBERS if x.device.type == "cpu" else NUMBERS_ON_DEVICE
    return max(FEWEST_ROWS, min(MOST_ROWS, numbers // x[0].numel()))


class _Allocations(TorchDispatchMode):
    """Counts the bytes of new tensors, also of those without storage that a model is first laid out with."""

    def __init__(self, free: int) -> None:
        super().__init__()
        self.free, self.taken = free, {"cpu": 0, "meta": 0}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.ops.aten.empty.memory_format, torch.ops.aten.empty_like.default):
            self._count(args[0], kwargs.get("device"), kwargs.get("dtype"))
        return func(*args, **kwargs)

    def _count(self, like: Tensor | list[int], device: Any, dtype: torch.dtype | None) -> None:
        """Count a tensor of a shape, or one like another."""
        if isinstance(like, Tensor):
            device, dtype, like = device or like.device, dtype or like.dtype, list(like.shape)
        place = torch.device(device or "cpu").type
        if place not in self.taken:
            return
        self.taken[place] += prod(like) * (dtype or torch.get_default_dtype()).itemsize
        if self.taken[place] > self.free:
            raise SettingError(
                f"the weights of the model need {self.taken[place] / 1e9:.2f} GB of memory or more, but only "
                f"{self.free / 1e9:.2f} GB are available",
                "choose smaller sizes, such as hidden_size=64",
            )


@cache
def keep_freed_memory() -> None:
    """Let the allocator keep what a pass through a model frees, for the next pass.

    Until a process has freed a large block, glibc gives memory back to the system at once, and each pass waits for new
    pages: a small convolutional network then takes twice as long. It learns from the largest block that was freed, so
    one is, without being written to, which takes microseconds. Other allocators lose nothing by it.
    """
    torch.empty(LARGEST, dtype=torch.uint8)


Piece = TypeVar("Piece")
Found = TypeVar("Found")


@contextmanager
def single_thread() -> Iterator[None]:
    """Keep torch to one thread for a while.

    Threads that share a small operation wait for each other longer than they work, more so next to other programs.
    Several threads of Python may be in such a block at once: the number of torch is the first one's after the last.

    Yields:
        Nothing.

    Example:
        >>> with single_thread():
        ...     torch.get_num_threads()
        1
    """
    _number.enter()
    try:
        yield
    finally:
        _number.leave()


class _NumberOfThreads(threading.local):
    """The number of torch's threads: torch keeps it for each thread of Python, and one for threads that begin."""

    _lock = threading.Lock()
    _before = 1
    _inside = 0
    """Threads of Python in a block."""
    depth = 0
    """Blocks that this thread is in."""

    def enter(self) -> None:
        """Change the number to one."""
        with self._lock:
            if self.depth == 0:
                cls = type(self)
                cls._before = cls._before if cls._inside else torch.get_num_threads()
                cls._inside += 1
            self.depth += 1
            torch.set_num_threads(1)

    def leave(self) -> None:
        """Restore the number at the end of the outermost block of this thread."""
        with self._lock:
            self.depth -= 1
            if self.depth == 0:
                type(self)._inside -= 1
                torch.set_num_threads(self._before)


_number = _NumberOfThreads()


def map_threads(work: Callable[[Piece], Found], pieces: Iterable[Piece]) -> Iterator[Found]:
    """Work on as many pieces at a time as torch has threads, with one thread each.

    Args:
        work: Function of a piece; it gains where most of it runs in torch, numpy or scikit-learn.
        pieces: Arguments of the function.

    Yields:
        The result for each piece, in their order.

    Example:
        >>> list(map_threads(torch.sum, [torch.ones(2), torch.ones(3)]))
        [tensor(2.), tensor(3.)]
    """
    cores = torch.get_num_threads()
    with single_thread(), ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        yield from threads.map(work, pieces)
