"""Code of others: what it raises gets a name, and the line where it happened."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure.core.errors import PerdureError

__all__ = ["foreign"]


@contextmanager
def foreign(error: type[PerdureError], subject: str, remedy: str | Callable[[], str]) -> Iterator[None]:
    """Run code of others for a while; whatever it raises becomes a named error with its message and its line.

    Args:
        error: the name to give it.
        subject: whose code runs.
        remedy: what to do about a failure, or a function that finds it out when there is one.

    Yields:
        Nothing.

    Raises:
        PerdureError: of the given name; one of our own passes as it is.

    Example:
        >>> with foreign(PerdureError, "the model", "mend it"):
        ...     raise ValueError("too wide")
        Traceback (most recent call last):
        perdure.core.errors.PerdureError: the model raises ValueError: too wide (line 2 of ...). Remedy: mend it.
    """
    try:
        yield
    except (PerdureError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as raised:  # foreign code may leave by sys.exit too
        cause = f"{subject} raises {type(raised).__name__}: {_short(str(raised))}{_place(raised)}"
        raise error(cause, remedy if isinstance(remedy, str) else remedy()) from raised


def _short(message: str, most: int = 300) -> str:
    line = " ".join(message.split())
    return line if len(line) <= most else line[:most] + " ..."


def _place(raised: BaseException) -> str:
    """Say where it happened: at the last line that is neither ours nor torch's, which its author cannot mend."""
    import torch

    if isinstance(raised, SyntaxError) and raised.filename:
        return f" (line {raised.lineno} of {raised.filename})"
    ours = (Path(__file__).parents[1], Path(torch.__file__).parent)
    frames = traceback.extract_tb(raised.__traceback__)[1:]
    theirs = [frame for frame in frames if not any(Path(frame.filename).is_relative_to(one) for one in ours)]
    if not theirs:
        return ""
    line = f": {theirs[-1].line}" if theirs[-1].line else ""
    return f" (line {theirs[-1].lineno} of {theirs[-1].filename}{line})"
