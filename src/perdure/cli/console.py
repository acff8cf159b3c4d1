"""What the command line prints: tables or JSON on stdout, progress and errors on stderr.

Names of files, columns, classes and settings come from anyone; none of them reaches the terminal with a control
character in it.
"""

from __future__ import annotations

import errno
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from perdure.core.errors import RunFolderError
from perdure.core.printable import printable

if TYPE_CHECKING:
    from perdure.core.estimate import Estimate

__all__ = [
    "bar",
    "busy",
    "flush",
    "format_cells",
    "guard_terminal",
    "print_json",
    "print_table",
    "printable",
    "report_defect",
    "say",
    "warn",
    "written",
]

REMEDY = "send the output to a file or a pipe that takes it; what the command computed is in its run folder"


class _PrintableRecord(logging.LogRecord):
    """A line that a library logs."""

    def getMessage(self) -> str:  # noqa: N802
        """Return the message for a terminal."""
        return printable(super().getMessage())


def guard_terminal() -> None:
    """Let what other libraries log reach the terminal as `printable` text only."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # some terminals have few characters
    logging.setLogRecordFactory(_PrintableRecord)


def report_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an unforeseen error, as `sys.excepthook` does, as `printable` text.

    Args:
        kind: class of the error.
        error: the error.
        trace: its traceback.
    """
    warn("".join(traceback.format_exception(kind, error, trace)).rstrip())


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on a terminal, and nothing in a pipe.

    Args:
        label: what is being done, such as "training lstm".

    Yields:
        A callback that takes how much is done, and of how much.
    """
    if not _is_terminal(sys.stderr):
        yield lambda _done, _total: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(label), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def busy(label: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done where its end cannot be foreseen, and nothing in a pipe.

    Args:
        label: what is done first.

    Yields:
        A callback that takes what is done now.
    """
    if not _is_terminal(sys.stderr):
        yield lambda _line: None
        return
    with Console(stderr=True).status(Text(printable(label))) as status:
        yield lambda line: status.update(Text(printable(line)))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def print_json(record: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write one JSON document to stdout.

    Args:
        record: plain data.
    """
    say(json.dumps(record, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; its cells are text, never markup.

    Args:
        title: above the table.
        columns: their headings.
        rows: the cells.
    """
    table = Table(title=Text(printable(title)), title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(Text(printable(column)), overflow="fold", justify="left" if number < 1 else "default")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    stdout = _stdout()
    with written():
        width = None if stdout.isatty() else 200
        Console(file=stdout, width=width, highlight=False).print(table)


def format_cells(estimate: Estimate) -> tuple[str, str, str, str]:
    """Format an estimate for a table.

    Args:
        estimate: Estimate with or without an interval.

    Returns:
        Value, interval, null and ceiling.
    """
    interval = "unknown" if estimate.interval is None else f"{estimate.low:.3f} to {estimate.high:.3f}"
    return f"{estimate.value:.3f}", interval, f"{estimate.null:.3f}", f"{estimate.ceiling:.3f}"


def say(text: str) -> None:
    """Write a line to stdout.

    Args:
        text: the line.

    Raises:
        RunFolderError: when stdout is closed or full.
    """
    stdout = _stdout()
    with written():
        stdout.write(printable(text) + "\n")


def warn(text: str) -> None:
    """Write a line to stderr, if there is one.

    Args:
        text: the line.
    """
    if sys.stderr is not None:
        sys.stderr.write(printable(text) + "\n")


def flush() -> None:
    """Write out what stdout holds back.

    Raises:
        RunFolderError: when stdout is full.
    """
    if sys.stdout is not None:
        with written():
            sys.stdout.flush()


@contextmanager
def written() -> Iterator[None]:
    """Name what keeps stdout from being written.

    Yields:
        Nothing.

    Raises:
        RunFolderError: when stdout is full; files that cannot be written have their own errors.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE or error.filename is not None:  # the reader has seen enough, as 'head' has
            raise
        raise RunFolderError(f"the standard output cannot be written: {error.strerror}", REMEDY) from error


def _stdout() -> TextIO:
    if sys.stdout is None:
        raise RunFolderError("the standard output is closed", REMEDY)
    return sys.stdout
