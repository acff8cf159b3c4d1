"""Ends of a command before its last line: signals, and a pipe whose reader has gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["PIPE_CLOSED", "catch_signals", "describe_signal", "drop_output", "is_closed_pipe"]

PIPE_CLOSED = 141
"""The exit code after the reader of a pipe has gone, as 'head' does: that of a program that SIGPIPE ends."""

CAUSES = {"SIGINT": "interrupted", "SIGTERM": "ended by SIGTERM", "SIGHUP": "ended by SIGHUP, as the terminal closed"}

_received: list[int] = []


@contextmanager
def catch_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, by KeyboardInterrupt; a second signal ends it at once.

    Signals that are ignored, as under nohup, stay ignored.

    Yields:
        Nothing; the handlers are as before afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in CAUSES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    _received.clear()
    for number, handler in before.items():
        if handler in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    if _received:
        os._exit(128 + number)
    _received.append(number)
    raise KeyboardInterrupt


def describe_signal() -> tuple[int, str]:
    """Describe the signal that has ended the command.

    Returns:
        The exit code, and what happened.
    """
    number = signal.Signals(_received[0] if _received else signal.SIGINT)
    return 128 + number, CAUSES[number.name]


def is_closed_pipe(error: BaseException | None) -> bool:
    """Return whether an error, or what it was raised from, is a pipe whose reader has gone.

    Args:
        error: Error, or None.

    Returns:
        Whether it is one.
    """
    return error is not None and (isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError))


def drop_output() -> None:
    """Send what is left in the buffer of stdout nowhere; the interpreter would try to write it again at its end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
