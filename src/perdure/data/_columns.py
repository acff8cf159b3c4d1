"""Columns of tables as numbers, words and classes; cells are named by row and column when they are wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from perdure.core.errors import DataError, LabelError
from perdure.core.printable import printable
from perdure.data._parts import listed
from perdure.data._table_file import DECIMAL, UNNAMED

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["cell", "check_column", "classes_of", "numbers", "ordered", "row_numbers", "shown", "words"]

LONGEST = 60
"""Characters of a cell that a message shows."""

INDEX = re.compile(rf"({UNNAMED}\d+|__index_level_\d+__)(\.\d+)*")
"""Names that pandas gives to an index without one, each time that it is stored."""

COUNTERS = {"index", "level_0", "id", "no", "nr", "row", "row_id", "row_number", "rowid", "rowname", "rownames", "x"}
"""Names, in lower case, of a first column that holds no measurement where it counts the rows."""

POINT = r"^\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*$"
"""A number with a decimal point, which may be one with thousands where others have a decimal comma."""


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
        others = listed(table.column_names[:12]) + (" and more" if len(table.column_names) > 12 else "")
        raise DataError(
            f"there is no column {listed([name])} among {others}",
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
    return f"row {row + 1}, column {listed([column])}"


def shown(table: pa.Table, name: str, row: int) -> str:
    """Write the value of a cell for a message.

    Args:
        table: Table of `read_table`.
        name: Name of the column.
        row: Row, from 0.

    Returns:
        The value, shortened.
    """
    try:
        value = table[name][row].as_py()
    except (ValueError, OverflowError):  # dates beyond the calendar of Python, or in nanoseconds without pandas
        value = f"a value of type {table[name].type}"
    return printable(value, LONGEST)


def row_numbers(table: pa.Table) -> list[str]:
    """Find the columns that number the rows, which programs write next to the data.

    Args:
        table: Table of `read_table`.

    Returns:
        Names of columns without a name, of the index that pandas wrote, and of a first column that counts the rows from
        0 or 1 under a name such as "index".

    Example:
        >>> import pyarrow as pa
        >>> row_numbers(pa.table({"index": ["0", "1"], "x": ["0", "1"], "Unnamed: 0.1": ["3", "5"]}))
        ['index', 'Unnamed: 0.1']
    """
    import pyarrow as pa

    stored = (table.schema.metadata or {}).get(b"pandas", b"{}")
    try:
        index = {one for one in json.loads(stored)["index_columns"] if isinstance(one, str)}
    except (ValueError, LookupError, TypeError):
        index = set()
    first = table.column_names[0]
    if first.lower() in COUNTERS:
        try:
            values = _trimmed(table[first]).cast(pa.float64(), safe=False).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            values = np.zeros(0)
        counted = np.arange(len(values))
        index |= {first} if len(values) and any((values == counted + start).all() for start in (0, 1)) else set()
    return [name for name in table.column_names if INDEX.fullmatch(name) or name in index]


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

    column = _pointed(table, name)

    def castable(first: int, last: int) -> bool:
        try:
            column.slice(first, last - first).cast(pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
        return True

    if not castable(0, len(column)):
        row = _first(castable, len(column))
        text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        value = f"'{shown(table, name, row)}'" if text else shown(table, name, row)
        raise DataError(
            f"{cell(row, name)} holds {value}, which is no number",
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
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeError):
        raise DataError(
            f"column {listed([name])} holds {table[name].type}", "store plain text or whole numbers"
        ) from None
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
        raise LabelError(
            f"every row has {listed(names)} in column {listed([name])}", "give samples of two or more classes"
        )
    number = {value: i for i, value in enumerate(names)}
    return np.array([number[value] for value in cells], dtype=np.int64), tuple(names)


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


def _pointed(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Write decimal commas as points, where the table has any."""
    import pyarrow.compute as pc

    column = _trimmed(table[name])
    if DECIMAL not in (table.schema.metadata or {}):
        return column
    both = pc.fill_null(pc.match_substring_regex(column, POINT), False)
    if pc.any(both).as_py():
        row = pc.index(both, True).as_py()
        raise DataError(
            f"{cell(row, name)} holds '{shown(table, name, row)}', though numbers of the file have a decimal comma",
            "write all numbers with a decimal point, and none with points between thousands",
        )
    return pc.replace_substring(column, ",", ".")


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
