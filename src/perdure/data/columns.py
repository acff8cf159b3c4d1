"""Columns: tables from CSV, Parquet and JSON lines, whose cells are called by row and column when they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from perdure.core.errors import DataError, EmptyDataError, LabelError
from perdure.data.parts import listed

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SUFFIXES", "cell", "check_column", "classes_of", "numbers", "ordered", "read_table", "words"]

LONGEST = 60
"""Signs of a cell that a message shows."""

SUFFIXES = (".csv", ".parquet", ".jsonl")


def read_table(path: Path) -> pa.Table:
    """Read a table.

    The cells of CSV come as text, in quotes or not, and empty ones as missing; other formats bring their types.

    Args:
        path: of a file whose name ends in .csv, .parquet or .jsonl.

    Returns:
        The table, with blanks around the names of columns removed.

    Raises:
        DataError: when the file is missing or cannot be read, or a name of a column occurs twice.
        EmptyDataError: without rows.
    """
    if not path.is_file():
        raise DataError(f"there is no file '{path}'", f"give the path of a table, which ends in {listed(SUFFIXES)}")
    import pyarrow as pa

    try:
        table = _reader(path)(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"'{path}' cannot be read: {error}", "write it again, in UTF-8 if it is text") from error
    names = [name.strip() for name in table.column_names]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise DataError(f"'{path}' has two columns called '{twice[0]}'", "give each column a name of its own")
    if not len(table):
        raise EmptyDataError(f"'{path}' has no rows", "give at least one row for each of three samples")
    return table.rename_columns(names)


def check_column(table: pa.Table, name: str, setting: str) -> None:
    """Check that a table has a column.

    Args:
        table: of `read_table`.
        name: of the column.
        setting: what names it.

    Raises:
        DataError: otherwise, with those that there are.
    """
    if name not in table.column_names:
        shown = listed(table.column_names[:12]) + (" and more" if len(table.column_names) > 12 else "")
        raise DataError(
            f"there is no column '{name}' among {shown}",
            f"name the right one with {setting}=COLUMN, behind a colon or other settings: data.csv:{setting}=COLUMN",
        )


def cell(row: int, column: str) -> str:
    """Call a cell by its place.

    Args:
        row: from 0.
        column: its name.

    Returns:
        What a person would say, counting rows from 1 without the header.

    Example:
        >>> cell(0, "x")
        "row 1, column 'x'"
    """
    return f"row {row + 1}, column '{column}'"


def numbers(table: pa.Table, name: str) -> Float[np.ndarray, " row"]:
    """Read a column as numbers.

    Args:
        table: of `read_table`.
        name: of the column.

    Returns:
        Its cells, NaN where one is empty.

    Raises:
        DataError: for a cell that is no number.
    """
    import pyarrow as pa

    column = _trimmed(table[name])

    def castable(first: int, last: int) -> bool:
        try:
            column.slice(first, last - first).cast(pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
        return True

    if not castable(0, len(column)):
        row = _first(castable, len(column))
        raise DataError(
            f"{cell(row, name)} holds {shorten(repr(column[row].as_py()), LONGEST)}, which is no number",
            "write a number with a decimal point, leave this column out with ignore=, or name what it holds with "
            "label= or id=; texts are read by text_table:path=",
        )
    values: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
    return values


def words(table: pa.Table, name: str) -> list[str]:
    """Read a column as text, without the blanks around it.

    Args:
        table: of `read_table`.
        name: of the column.

    Returns:
        Its cells.

    Raises:
        DataError: for an empty cell, or one that holds several things.
    """
    import pyarrow as pa

    try:
        found: list[str | None] = _trimmed(table[name].cast(pa.string())).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(f"column '{name}' holds {table[name].type}", "store plain text or whole numbers") from None
    for row, value in enumerate(found):
        if not value:
            raise DataError(f"{cell(row, name)} is empty", "fill it in, or leave the row out")
    return [value or "" for value in found]


def classes_of(table: pa.Table, name: str) -> tuple[Int[np.ndarray, " row"], tuple[str, ...]]:
    """Read a column as classes.

    Args:
        table: of `read_table`.
        name: of the column.

    Returns:
        The class of each row as a position in the names of classes, which are in the order of numbers where all are
        numbers, and else in alphabetical order.

    Raises:
        DataError: for an empty cell.
        LabelError: when there is a single class.
    """
    cells = words(table, name)
    names = ordered(set(cells))
    if len(names) < 2:
        raise LabelError(f"every row has '{names[0]}' in column '{name}'", "give samples of two or more classes")
    number = {one: i for i, one in enumerate(names)}
    return np.array([number[one] for one in cells], dtype=np.int64), tuple(names)


def ordered(names: set[str]) -> list[str]:
    """Put names of classes in order.

    Args:
        names: of any kind.

    Returns:
        The names, in the order of numbers where all are numbers, and else in alphabetical order.

    Example:
        >>> ordered({"10", "9"}), ordered({"10", "9", "a"})
        (['9', '10'], ['10', '9', 'a'])
    """
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _reader(path: Path) -> Callable[[Path], pa.Table]:
    readers = {".csv": _csv, ".parquet": _parquet, ".jsonl": _json}
    if path.suffix.lower() not in readers:
        raise DataError(f"'{path}' does not end in {listed(SUFFIXES)}", "give a file of one of these formats")
    return readers[path.suffix.lower()]


def _csv(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    wrong: list[csv.InvalidRow] = []

    def refuse(row: csv.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    parsing = csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse)
    reading = csv.ReadOptions(use_threads=False)
    try:
        with csv.open_csv(path, read_options=reading, parse_options=parsing) as file:
            types = dict.fromkeys(file.schema.names, pa.string())
        cells = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
        return csv.read_csv(path, read_options=reading, parse_options=parsing, convert_options=cells)
    except pa.ArrowInvalid as error:
        if not wrong:
            raise
        row = wrong[0]
        raise DataError(
            f"row {row.number - 1} of '{path}' has {row.actual_columns} cells under {row.expected_columns} columns",
            "give each row one cell for each column, and put text that holds commas in quotes",
        ) from error


def _parquet(path: Path) -> pa.Table:
    """Read columns, but not the row numbers that pandas adds."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return table.drop_columns([name for name in table.column_names if name.startswith("__index_level_")])


def _json(path: Path) -> pa.Table:
    import pyarrow.json

    return pyarrow.json.read_json(path, parse_options=pyarrow.json.ParseOptions(newlines_in_values=True))


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute
    import pyarrow.types

    kind = column.type
    text = pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
    return pyarrow.compute.utf8_trim_whitespace(column) if text else column


def _first(holds: Callable[[int, int], bool], count: int) -> int:
    """Find the first place at which something fails, given whether it holds from one place up to another."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(low, middle) else (low, middle)
    return low
