"""What the command line prints: tables or JSON on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

__all__ = ["bar", "print_json", "print_table", "say", "warn"]


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on a terminal, and nothing in a pipe.

    Args:
        label: what is being done.

    Yields:
        A callback that takes how much is done, and of how much.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def print_json(record: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write one JSON document to stdout.

    Args:
        record: plain data.
    """
    sys.stdout.write(json.dumps(record, indent=2, default=str) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; its cells are text, never markup.

    Args:
        title: above the table.
        columns: their headings.
        rows: the cells.
    """
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="left" if number < 1 else "default")
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def _printable(cell: str) -> str:
    """Let no text from a file or a model steer the terminal."""
    return "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in cell)


def say(text: str) -> None:
    """Write a line to stdout.

    Args:
        text: the line.
    """
    sys.stdout.write(text + "\n")


def warn(text: str) -> None:
    """Write a line to stderr.

    Args:
        text: the line.
    """
    sys.stderr.write(text + "\n")
