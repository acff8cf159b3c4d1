"""Columns of tables as numbers, words and classes; errors name row and column of a wrong cell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from perdure.core.errors import DataError, LabelError
from perdure.core.printable import printable
from perdure.data._parts import quote_names
from perdure.data._read.table_file import DECIMAL, UNNAMED

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "check_column",
    "find_row_numbers",
    "format_value",
    "name_cell",
    "read_classes",
    "read_numbers",
    "read_words",
    "sort_classes",
]

LONGEST = 60
"""Characters of a cell that a message shows."""

INDEX = re.compile(rf"({UNNAMED}\d+|__index_level_\d+__)(\.\d+)*")
"""Names that pandas gives to an unnamed index, each time that it is stored."""

COUNTERS = {"index", "level_0", "id", "no", "nr", "row", "row_id", "row_number", "rowid", "rowname", "rownames", "x"}
"""Names, in lower case, of a first column that holds no measurement where it counts the rows."""

POINT = r"^\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*$"
"""A number with a decimal point, which may be one with thousands where others have a decimal comma."""


def check_column(table: pa.Table, name: str, setting: str) -> None:
    """Check that a table has a column.

    Args:
        table: Table of `read_table`.
        name: Name of the column.
        setting: Setting that names the column.

    Raises:
        DataError: If it has none of that name; the message lists the columns.
    """
    if name not in table.column_names:
        rest = quote_names(table.column_names[:12]) + (" and more" if len(table.column_names) > 12 else "")
        raise DataError(
            f"there is no column {quote_names([name])} among {rest}",
            f"name the right one with {setting}=COLUMN, behind a colon or other settings: data.csv:{setting}=COLUMN",
        )


def name_cell(row: int, column: str) -> str:
    """Name a cell by its row and column.

    Args:
        row: Row, from 0.
        column: Name of the column.

    Returns:
        The name, with rows counted from 1 without the header.

    Example:
        >>> name_cell(0, "x")
        "row 1, column 'x'"
    """
    return f"row {row + 1}, column {quote_names([column])}"


def format_value(table: pa.Table, name: str, row: int) -> str:
    """Format the value of a cell for a message.

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


def find_row_numbers(table: pa.Table) -> list[str]:
    """Find the columns that number the rows, which programs write next to the data.

    Args:
        table: Table of `read_table`.

    Returns:
        Names of columns without a name, of the index that pandas wrote, and of a first column that counts the rows from
        0 or 1 under a name such as "index".

    Example:
        >>> import pyarrow as pa
        >>> find_row_numbers(pa.table({"index": ["0", "1"], "x": ["0", "1"], "Unnamed: 0.1": ["3", "5"]}))
        ['index', 'Unnamed: 0.1']
    """
    import pyarrow as pa

    stored = (table.schema.metadata or {}).get(b"pandas", b"{}")
    try:
        index = {item for item in json.loads(stored)["index_columns"] if isinstance(item, str)}
    except (ValueError, LookupError, TypeError):
        index = set()
    first = table.column_names[0]
    if first.lower() in COUNTERS:
        try:
            values = _trim(table[first]).cast(pa.float64(), safe=False).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            values = np.zeros(0)
        counted = np.arange(len(values))
        index |= {first} if len(values) and any((values == counted + start).all() for start in (0, 1)) else set()
    return [name for name in table.column_names if INDEX.fullmatch(name) or name in index]


def read_numbers(table: pa.Table, name: str) -> Float[np.ndarray, " row"]:
    """Read a column as numbers.

    Args:
        table: Table of `read_table`.
        name: Name of the column.

    Returns:
        Its cells, NaN where a cell is empty.

    Raises:
        DataError: For a cell that is no number.
    """
    import pyarrow as pa

    column = _replace_commas(table, name)

    def castable(first: int, last: int) -> bool:
        try:
            column.slice(first, last - first).cast(pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
        return True

    if not castable(0, len(column)):
        row = _first(castable, len(column))
        text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        value = f"'{format_value(table, name, row)}'" if text else format_value(table, name, row)
        raise DataError(
            f"{name_cell(row, name)} holds {value}, which is no number",
            "write a number with a decimal point, leave this column out with ignore=, or name what it holds with "
            "label= or id=; texts are read by text_table:path=",
        )
    values: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
    return values


def read_words(table: pa.Table, name: str) -> list[str]:
    """Read a column as text, without the blanks around it.

    Args:
        table: Table of `read_table`.
        name: Name of the column.

    Returns:
        Its cells.

    Raises:
        DataError: For an empty cell, or one that holds several things.
    """
    import pyarrow as pa

    try:
        result: list[str | None] = _trim(table[name].cast(pa.string())).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeError):
        raise DataError(
            f"column {quote_names([name])} holds {table[name].type}", "store plain text or whole numbers"
        ) from None
    for row, value in enumerate(result):
        if not value:
            raise DataError(f"{name_cell(row, name)} is empty", "fill it in, or leave the row out")
    return [value or "" for value in result]


def read_classes(table: pa.Table, name: str) -> tuple[Int[np.ndarray, " row"], tuple[str, ...]]:
    """Read a column as classes.

    Args:
        table: Table of `read_table`.
        name: Name of the column.

    Returns:
        The class of each row as a position in the names of classes, which are in the order of numbers where all are
        numbers, and else in alphabetical order.

    Raises:
        DataError: For an empty cell.
        LabelError: When there is a single class.
    """
    cells = read_words(table, name)
    names = sort_classes(set(cells))
    if len(names) < 2:
        raise LabelError(
            f"every row has {quote_names(names)} in column {quote_names([name])}", "give samples of two or more classes"
        )
    number = {value: i for i, value in enumerate(names)}
    return np.array([number[value] for value in cells], dtype=np.int64), tuple(names)


def sort_classes(names: set[str]) -> list[str]:
    """Sort names of classes.

    Args:
        names: Names, numbers as text or other text.

    Returns:
        The names, in the order of numbers where all are numbers, and else in alphabetical order.

    Example:
        >>> sort_classes({"10", "9"}), sort_classes({"10", "9", "a"})
        (['9', '10'], ['10', '9', 'a'])
    """
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _replace_commas(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Replace decimal commas by points, where the table has any."""
    import pyarrow.compute as pc

    column = _trim(table[name])
    if DECIMAL not in (table.schema.metadata or {}):
        return column
    both = pc.fill_null(pc.match_substring_regex(column, POINT), False)
    if pc.any(both).as_py():
        row = pc.index(both, True).as_py()
        raise DataError(
            f"{name_cell(row, name)} holds '{format_value(table, name, row)}', though numbers of the file have "
            "a decimal comma",
            "write all numbers with a decimal point, and none with points between thousands",
        )
    return pc.replace_substring(column, ",", ".")


def _trim(column: pa.ChunkedArray) -> pa.ChunkedArray:
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
