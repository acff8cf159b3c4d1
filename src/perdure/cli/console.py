"""What the command line prints: tables or JSON on stdout, progress and errors on stderr.

Names of files, columns, classes and settings are untrusted; they reach the terminal without control characters.
"""

from __future__ import annotations

import errno
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from perdure.core.errors import RunFolderError, memory_limit_error
from perdure.core.printable import printable

if TYPE_CHECKING:
    from perdure.core.estimate import Estimate

__all__ = [
    "flush",
    "format_estimate",
    "guard_terminal",
    "name_memory_errors",
    "name_write_errors",
    "print_json",
    "print_line",
    "print_table",
    "printable",
    "report_defect",
    "show_progress",
    "show_status",
    "warn",
]

REMEDY = "send the output to a file or a pipe that takes it; what the command computed is in its run folder"


class _PrintableRecord(logging.LogRecord):
    """A line that a library logs."""

    def getMessage(self) -> str:  # noqa: N802
        """Return the message for a terminal."""
        return printable(super().getMessage())


def guard_terminal() -> None:
    """Print log messages of other libraries as `printable` text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # some terminals have few characters
    logging.setLogRecordFactory(_PrintableRecord)


def report_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an unforeseen error, as `sys.excepthook` does, as `printable` text.

    Args:
        kind: Class of the error.
        error: Error.
        trace: Traceback.
    """
    warn("".join(traceback.format_exception(kind, error, trace)).rstrip())


@contextmanager
def name_memory_errors() -> Iterator[None]:
    """Convert a failure to get memory to a named error.

    Yields:
        Nothing.

    Raises:
        MemoryLimitError: When there is not enough memory; its notes are those of the failure.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        named = memory_limit_error(error)
        if named is None:
            raise
        for note in getattr(error, "__notes__", ()):
            named.add_note(note)
        raise named from error


@contextmanager
def show_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on a terminal, and nothing in a pipe.

    Args:
        label: Current work, such as "training lstm".

    Yields:
        A callback of the number of finished pieces and of all pieces.
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
def show_status(label: str) -> Iterator[Callable[[str], None]]:
    """Show the current work on a terminal where its end is unknown, and nothing in a pipe.

    Args:
        label: First work.

    Yields:
        A callback of the current work.
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
        record: Plain data.
    """
    print_line(json.dumps(record, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; its cells are text, never markup.

    Args:
        title: Title of the table.
        columns: Headings of the columns.
        rows: Cells.
    """
    table = Table(title=Text(printable(title)), title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(Text(printable(column)), overflow="fold", justify="left" if number < 1 else "default")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    stdout = _stdout()
    with name_write_errors():
        width = None if stdout.isatty() else 200
        Console(file=stdout, width=width, highlight=False).print(table)


def format_estimate(estimate: Estimate) -> tuple[str, str, str, str]:
    """Format an estimate as the cells of a table.

    Args:
        estimate: Estimate with or without an interval.

    Returns:
        Value, 95 % interval, null and ceiling.
    """
    interval = "unknown" if estimate.interval is None else f"{estimate.low:.3f} to {estimate.high:.3f}"
    return f"{estimate.value:.3f}", interval, f"{estimate.null:.3f}", f"{estimate.ceiling:.3f}"


def print_line(text: str) -> None:
    """Write a line to stdout.

    Args:
        text: Line.

    Raises:
        RunFolderError: If stdout is closed or full.
    """
    stdout = _stdout()
    with name_write_errors():
        stdout.write(printable(text) + "\n")


def warn(text: str) -> None:
    """Write a line to stderr, where it can be written.

    Args:
        text: Line.
    """
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(printable(text) + "\n")


def flush() -> None:
    """Write the buffer of stdout.

    Raises:
        RunFolderError: If stdout is full.
    """
    if sys.stdout is not None:
        with name_write_errors():
            sys.stdout.flush()


@contextmanager
def name_write_errors() -> Iterator[None]:
    """Raise a named error when stdout cannot be written.

    Yields:
        Nothing.

    Raises:
        RunFolderError: If stdout is full; files that cannot be written have their own errors.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE or error.filename is not None:  # the reader has closed the pipe, as 'head' does
            raise
        raise RunFolderError(f"the standard output cannot be written: {error.strerror}", REMEDY) from error


def _stdout() -> TextIO:
    if sys.stdout is None:
        raise RunFolderError("the standard output is closed", REMEDY)
    return sys.stdout
