"""Table files: CSV, Parquet and JSON lines, optionally compressed, in UTF-8, UTF-16 or UTF-32."""

from __future__ import annotations

import codecs
import csv as text_csv
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.core.errors import DataError, EmptyDataError
from perdure.core.stored_array import check_fits
from perdure.data._parts import quote_names
from perdure.data._read.guard import COMPRESSED, named_errors, unpack

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DECIMAL", "SUFFIXES", "UNNAMED", "read_table"]

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")
"""Suffixes of tables; all but Parquet may have .gz, .bz2 or .xz behind them."""

UNNAMED = "Unnamed: "
"""Start of the name that a column without a name gets, as in pandas."""

DECIMAL = b"decimal"
"""Key of the metadata of a table whose numbers have a decimal comma."""

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; that of UTF-32 begins with that of UTF-16."""

RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
"""What Arrow raises for a row of another length than the header; its rows begin with the header."""

HEAD, ROWS = 2**16, 6
"""Bytes and rows from which the encoding and the delimiter are found."""

WIDTH = 32
"""Bits of a cell of no fixed width."""


def read_table(path: Path) -> pa.Table:
    """Read a table.

    The cells of CSV come as text, in quotes or not, and empty ones as missing; other formats bring their types. The
    delimiter of CSV is a comma, a semicolon or a tab, whichever the first rows have; with semicolons numbers may have
    a decimal comma. A column without a name is called "Unnamed: 0", where 0 is its place.

    Args:
        path: Path of a file whose name ends in .csv, .tsv, .parquet or .jsonl; text may be compressed: .csv.gz.

    Returns:
        The table, with blanks around the names of columns removed.

    Raises:
        DataError: When the file is missing or cannot be read, or a name of a column occurs twice.
        EmptyDataError: Without rows.
    """
    if not path.is_file():
        raise DataError(
            f"there is no file '{path}'", f"give the path of a table, which ends in {quote_names(SUFFIXES)}"
        )
    reader = _reader(path)
    with named_errors(
        f"'{path}' cannot be read", "write it again; text in UTF-8, which spreadsheets call 'CSV UTF-8', or in UTF-16"
    ):
        table = reader(path)
        table.validate(full=True)
        names = _names(table.column_names)
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise DataError(f"'{path}' has two columns called {quote_names(twice[:1])}", "give each column a unique name")
    if not len(table):
        raise EmptyDataError(f"'{path}' has no rows", "give at least one row for each of three samples")
    return _decode_categories(table.rename_columns(names)).replace_schema_metadata(table.schema.metadata)


def _reader(path: Path) -> Callable[[Path], pa.Table]:
    readers = {".csv": _csv, ".tsv": _csv, ".parquet": _parquet, ".jsonl": _json}
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED and suffixes[-2:-1] != [".parquet"]:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in readers:
        raise DataError(
            f"'{path}' does not end in {quote_names(SUFFIXES)}, or in one of them and {quote_names(COMPRESSED)}",
            "give a file of one of these formats",
        )
    return readers[suffixes[-1]]


def _csv(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    buffer = _buffer(path)
    encoding, delimiter = _form(buffer.slice(0, min(HEAD, buffer.size)).to_pybytes())
    parsing = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    reading = csv.ReadOptions(use_threads=False, encoding=encoding)
    try:
        with csv.open_csv(pa.BufferReader(buffer), read_options=reading, parse_options=parsing) as file:
            types = dict.fromkeys(file.schema.names, pa.string())
        cells = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
        table = csv.read_csv(
            pa.BufferReader(buffer), read_options=reading, parse_options=parsing, convert_options=cells
        )
    except pa.ArrowInvalid as error:
        row = RAGGED.search(str(error))
        if row is None:
            raise
        raise DataError(
            f"row {int(row[1]) - 1} of '{path}' has {row[3]} cells under {row[2]} columns",
            "give each row one cell for each column, and put text that holds delimiters in quotes",
        ) from error
    return _with_decimal(table) if delimiter == ";" else table


def _buffer(path: Path) -> pa.Buffer:
    """Map a file into memory, or decompress it."""
    import pyarrow as pa

    if path.suffix.lower() in COMPRESSED:
        return pa.py_buffer(unpack(path))
    check_fits(f"'{path}'", path.stat().st_size)
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _form(head: bytes) -> tuple[str, str]:
    """Find the encoding and the delimiter of a text by its first bytes."""
    encoding = _encoding(head)
    lines = head.decode(encoding, errors="replace").splitlines(keepends=True)
    if len(head) == HEAD:
        lines = lines[:-1] or lines  # the last is cut
    return encoding, max(",;\t", key=lambda delimiter: _fit(lines, delimiter))


def _encoding(head: bytes) -> str:
    """Name the encoding that a byte order mark, or a zero byte next to the first character, shows."""
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name
    if len(head) > 1 and (head[0] == 0) != (head[1] == 0):
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    return "utf-8"


def _fit(lines: Sequence[str], delimiter: str) -> tuple[bool, int]:
    """Rate a delimiter: first whether the first rows agree on two cells or more, then by the cells of the header."""
    cells = [len(row) for row in islice(text_csv.reader(lines, delimiter=delimiter), ROWS) if row]
    return len(set(cells)) == 1 and cells[0] > 1, cells[0] if cells else 0


def _with_decimal(table: pa.Table) -> pa.Table:
    """Mark a table in which any cell is a number with a decimal comma."""
    import pyarrow.compute as pc

    comma = r"^\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*$"
    if any(pc.any(pc.match_substring_regex(column, comma)).as_py() for column in table.columns):
        return table.replace_schema_metadata({DECIMAL: b","})
    return table


def _parquet(path: Path) -> pa.Table:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        width = sum(_width(field.type) for field in file.schema_arrow)
        groups = (file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        check_fits(f"'{path}'", max(file.metadata.num_rows * width // 8, sum(groups)))
        return file.read()


def _width(kind: pa.DataType) -> int:
    try:
        return int(kind.bit_width)
    except ValueError:
        return WIDTH


def _json(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.json

    content = _buffer(path).to_pybytes()
    encoding = _encoding(content[:4])
    text = content if encoding == "utf-8" else content.decode(encoding).encode()
    parsing = pyarrow.json.ParseOptions(newlines_in_values=True)
    return pyarrow.json.read_json(pa.BufferReader(text.removeprefix(codecs.BOM_UTF8)), parse_options=parsing)


def _names(names: Sequence[str]) -> list[str]:
    """Trim the names of columns, and give a name to those without."""
    known = [name.strip() for name in names]
    for place, name in enumerate(known):
        if not name:
            known[place] = f"{UNNAMED}{place}"
            while known[place] in known[:place] + known[place + 1 :]:
                known[place] += ".1"
    return known


def _decode_categories(table: pa.Table) -> pa.Table:
    """Replace categories, which pandas stores as positions in a dictionary, by their values."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
    return table
