"""Parts of results in Parquet files that appear one by one, each complete or absent."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from perdure.core.errors import PartError
from perdure.records.files import atomic
from perdure.records.place import readable

__all__ = ["damage", "finished_parts", "part_path", "part_paths", "read_part", "read_parts", "write_part"]

_ROWS = 64
"""Rows of a row group: so that reading few samples decodes little."""


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
    named = ((re.fullmatch(r"part-(\d+)\.parquet", path.name), path) for path in files)
    return dict(sorted((int(match[1]), path) for match, path in named if match))


def write_part(folder: Path, index: int, table: pa.Table) -> Path:
    """Write one part, completely or not at all; the same table gives the same bytes.

    Args:
        folder: Folder of the parts of one table.
        index: Number of the part; an older part of this number is replaced.
        table: Rows.

    Returns:
        The path of its file.

    Raises:
        RunFolderError: When the system cannot write.
    """
    columns = [_column(field) for field in table.schema]
    floats = [name for name, kind in columns if pa.types.is_floating(kind)]
    words = [name for name, kind in columns if pa.types.is_string(kind)]
    path = part_path(folder, index)
    with atomic(path) as file:
        pq.write_table(
            table, file, row_group_size=_ROWS, compression="zstd", use_dictionary=words, use_byte_stream_split=floats
        )
    return path


def finished_parts(folder: Path) -> set[int]:
    """Find the parts that are finished.

    Args:
        folder: Folder of the parts of one table; may not exist yet.

    Returns:
        The numbers of the readable parts; a warning names each unreadable one.
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
    """Check whether the file of a part can be opened.

    Args:
        path: File of the part.

    Returns:
        The defect; None for a complete part.
    """
    try:
        with pq.ParquetFile(readable(path)):
            return None
    except (pa.ArrowException, OSError) as error:
        return str(error)


def read_part(path: Path) -> pa.Table:
    """Read one part.

    Args:
        path: File of the part.

    Returns:
        The rows.

    Raises:
        PartError: When the file is truncated or damaged.
    """
    try:
        return pq.ParquetFile(readable(path)).read()
    except (pa.ArrowException, OSError) as error:
        raise PartError(
            f"{path} is truncated or damaged: {error}",
            "delete this file and run the same command again; only this part is computed again",
        ) from error


def read_parts(folder: Path) -> pa.Table:
    """Read all parts of a table, in the order of their numbers.

    Args:
        folder: Folder of the parts.

    Returns:
        All rows.

    Raises:
        PartError: When there is no part, one is damaged, or their columns differ.
    """
    tables = [read_part(path) for path in part_paths(folder).values()]
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
