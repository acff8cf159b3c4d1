"""Parts of results in Parquet files that appear one by one, each complete or absent."""

from __future__ import annotations

import re
import warnings
from collections.abc import Container
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from perdure.core.errors import PartError
from perdure.records.documents import check_intact
from perdure.records.files import write_bytes
from perdure.records.place import read_errors
from perdure.records.seal import BLANK, file_digest, is_intact, seal

__all__ = [
    "damage",
    "decode_part",
    "finished_parts",
    "has_digest",
    "number_of",
    "open_part",
    "part_digest",
    "part_path",
    "part_paths",
    "part_source",
    "read_part",
    "read_parts",
    "write_part",
]

_ROWS, _BYTES = 64, 2**18
"""Rows of a row group at least, and about its bytes: so that reading few samples decodes little."""

_NAME = re.compile(r"part-(\d+)\.parquet")
_DIGEST, _SOURCE = b"digest", b"digest_of_source"


def part_path(folder: Path, index: int) -> Path:
    """Return the path of a part.

    Args:
        folder: Folder of the parts of one table.
        index: Number of the part.

    Returns:
        The path, whether it exists or not.

    Example:
        >>> part_path(Path("maps"), 7).as_posix()
        'maps/part-00007.parquet'
    """
    return folder / f"part-{index:05d}.parquet"


def part_paths(folder: Path) -> dict[int, Path]:
    """Find the part files, whole or damaged.

    Args:
        folder: Folder of the parts of one table; may not exist yet.

    Returns:
        Paths by number of the part, ascending.
    """
    files = folder.iterdir() if folder.is_dir() else ()
    return dict(sorted((number_of(path), path) for path in files if _NAME.fullmatch(path.name)))


def number_of(path: Path) -> int:
    """Return the number of a part.

    Args:
        path: File of the part.

    Returns:
        The number in its name; 0 for another file.
    """
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def write_part(folder: Path, index: int, table: pa.Table, source: str | None = None) -> Path:
    """Write one part, completely or not at all; the same rows give the same bytes.

    The file contains its digest and a checksum of each page.

    Args:
        folder: Folder of the parts of one table.
        index: Number of the part; an older part of this number is replaced.
        table: Rows.
        source: Digest of the part from which it was computed, as of `part_digest`; None where there is none.

    Returns:
        The path of its file.

    Raises:
        RunFolderError: When the system cannot write.
    """
    about = {**(table.schema.metadata or {}), **({} if source is None else {_SOURCE: source}), _DIGEST: BLANK}
    table = table.replace_schema_metadata(about).combine_chunks()
    columns = [_column(field) for field in table.schema]
    floats = [name for name, kind in columns if pa.types.is_floating(kind)]
    words = [name for name, kind in columns if pa.types.is_string(kind)]
    with pa.BufferOutputStream() as file:
        pq.write_table(
            table,
            file,
            row_group_size=max(_ROWS, _BYTES * len(table) // max(table.nbytes, 1)),
            compression="zstd",
            use_dictionary=words,
            use_byte_stream_split=floats,
            write_page_checksum=True,
        )
        content = file.getvalue().to_pybytes()
    path = part_path(folder, index)
    write_bytes(path, seal(content))
    return path


def finished_parts(folder: Path) -> set[int]:
    """Find the parts that are finished.

    Args:
        folder: Folder of the parts of one table; may not exist yet.

    Returns:
        The numbers of the parts that are as they were written; a warning names each of the others.
    """
    finished = set()
    for index, path in part_paths(folder).items():
        cause = damage(path)
        if cause is None:
            finished.add(index)
        else:
            warnings.warn(f"{path} is damaged and counts as not finished: {cause}", stacklevel=2)
    return finished


def damage(path: Path) -> str | None:
    """Check whether a part is what was written; parts without a digest are decoded.

    Args:
        path: File of the part.

    Returns:
        The defect; None for a whole part.
    """
    try:
        data = path.read_bytes()
        if not check_intact(data):
            decode_part(data)
    except (pa.ArrowException, OSError, ValueError) as error:
        return str(error)
    return None


def part_digest(path: Path) -> str:
    """Return what identifies the content of a part.

    Args:
        path: File of the part.

    Returns:
        Sixteen hexadecimal digits.
    """
    with read_errors(path):
        return file_digest(path.read_bytes())


def has_digest(path: Path) -> bool:
    """Return whether a part contains its digest.

    Args:
        path: File of the part.

    Returns:
        False for parts of version 0.1.
    """
    with read_errors(path):
        return is_intact(path.read_bytes()) is not None


def part_source(path: Path) -> str | None:
    """Return the digest of the part from which a part was computed.

    Args:
        path: File of the part.

    Returns:
        The digest that was passed to `write_part`; None where there was none.

    Raises:
        PartError: When the file is truncated, damaged or was changed since it was written.
    """
    source = (read_part(path).schema.metadata or {}).get(_SOURCE)
    return None if source is None else source.decode()


def read_part(path: Path) -> pa.Table:
    """Read one part.

    Args:
        path: File of the part.

    Returns:
        The rows.

    Raises:
        PartError: When the file is truncated, damaged or was changed since it was written.
    """
    try:
        data = path.read_bytes()
        check_intact(data)
        return decode_part(data)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PartError(
            f"{path} is truncated or damaged: {error}",
            "delete this file and run the same command again; only this part is computed again",
        ) from error


def open_part(path: Path) -> pq.ParquetFile:
    """Open one part to read some columns or rows of it, once all of it is checked.

    Args:
        path: File of the part.

    Returns:
        The open file, a context.

    Raises:
        ArrowException: When the content is damaged; an OSError or a ValueError likewise.
    """
    data = path.read_bytes()
    check_intact(data)
    return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)


def decode_part(data: bytes) -> pa.Table:
    """Decode the content of a part, with the checksums of its pages.

    Args:
        data: Content of the file.

    Returns:
        The rows.

    Raises:
        ArrowException: When the content is damaged; an OSError or a ValueError likewise.
    """
    table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
    about = {key: value for key, value in (table.schema.metadata or {}).items() if key != _DIGEST}
    return table.replace_schema_metadata(about or None)


def read_parts(folder: Path, numbers: Container[int] | None = None) -> pa.Table:
    """Read the parts of a table, in the order of their numbers.

    Args:
        folder: Folder of the parts.
        numbers: Numbers of the parts to read; None for all.

    Returns:
        All rows.

    Raises:
        PartError: When there is no part, one is damaged, or their columns differ.
    """
    paths = part_paths(folder).items()
    tables = [read_part(path) for number, path in paths if numbers is None or number in numbers]
    if not tables:
        raise PartError(f"{folder} holds no parts", "run the command that writes them, or check the path")
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise PartError(
            f"the parts in {folder} do not have the same columns: {error}",
            "keep the parts of different commands in different folders",
        ) from error


def _column(field: pa.Field) -> tuple[str, pa.DataType]:
    """Name the leaf column that Parquet makes of a field, with its type."""
    if pa.types.is_list(field.type):
        return f"{field.name}.list.element", field.type.value_type
    return field.name, field.type
