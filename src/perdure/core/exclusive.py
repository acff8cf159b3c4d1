"""One thread at a time where the state of a model or of the process changes for a while.

An explanation puts the model in evaluation mode, adds hooks, and lets libraries draw from the global random
generators. None of this belongs to a thread, and models can have modules in common, so there is one lock for the
process. Torch uses all cores within a call; on several models in parallel work processes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from torch import nn

__all__ = ["exclusive", "without_cudnn"]


class _Locks:
    """The locks of this process; a forked child has fresh ones, as no thread of its parent lives there."""

    def __init__(self) -> None:
        self.whole, self.cudnn = threading.RLock(), threading.Lock()
        self.running: list[object] = []
        """One entry for each call of a recurrent module without cuDNN."""


_locks = _Locks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_locks.__init__)  # type: ignore[misc]


def exclusive() -> AbstractContextManager[object]:
    """Wait until no other thread changes the state of a model or of the global generators.

    Returns:
        A context, which the same thread may enter again.

    Example:
        >>> with exclusive(), exclusive():
        ...     torch.rand(1).shape
        torch.Size([1])
    """
    return _locks.whole


@contextmanager
def without_cudnn(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Switch cuDNN off during the calls of some modules, in whatever thread they run, and only there.

    Args:
        modules: Modules, such as recurrences, whose backward pass cuDNN cannot run in evaluation mode.

    Yields:
        Nothing; the flag of cuDNN is as before after each call, also where a call outlasts the block or began before.
    """
    mine = _Calls()
    with ExitStack() as stack:
        stack.callback(mine.end_all)
        for module in modules:
            stack.callback(module.register_forward_pre_hook(mine.begin).remove)
            stack.callback(module.register_forward_hook(mine.end, always_call=True).remove)
        yield


class _Calls:
    """The calls of modules within one block; the first of the process switches cuDNN off, the last one on again."""

    _flag = True

    def __init__(self) -> None:
        self._threads: list[int] = []

    def begin(self, *_: object) -> None:
        """Note the call of a module in this thread."""
        with _locks.cudnn:
            if not _locks.running:
                _Calls._flag = torch.backends.cudnn.enabled
                torch.backends.cudnn.enabled = False
            _locks.running.append(self)
            self._threads.append(threading.get_ident())

    def end(self, *_: object) -> None:
        """Note the end of a call, if its begin was noted."""
        with _locks.cudnn:
            if threading.get_ident() in self._threads:
                self._threads.remove(threading.get_ident())
                self._leave()

    def end_all(self) -> None:
        """Forget calls that have not ended."""
        with _locks.cudnn:
            while self._threads:
                self._threads.pop()
                self._leave()

    def _leave(self) -> None:
        _locks.running.remove(self)
        if not _locks.running:
            torch.backends.cudnn.enabled = _Calls._flag
