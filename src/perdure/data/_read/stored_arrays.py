"""Arrays in .npz archives and .npy files; declared sizes are checked before reading."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from perdure.core.errors import DataError
from perdure.core.stored_array import read_stored_array
from perdure.data._parts import quote_names
from perdure.data._read.guard import named_errors

__all__ = ["Stored", "list_arrays", "read_array"]

Stored = Mapping[str, Callable[[], np.ndarray]]
"""Functions that read the arrays of a folder or an archive, by name."""


def list_arrays(path: Path, remedy: str) -> Stored:
    """List the arrays of a folder of .npy files, or of an .npz archive.

    Args:
        path: Path of the folder or archive.
        remedy: Remedy where the archive is damaged.

    Returns:
        A function that reads each array, by its name.

    Raises:
        DataError: When there is no such file, or it is no whole archive.
    """
    if path.is_dir():
        return {file.stem: partial(_from_file, file) for file in sorted(path.glob("*.npy"))}
    if not path.is_file():
        raise DataError(f"there is no file '{path}'", "give the path of an .npz archive")
    with (
        named_errors(f"'{path}' cannot be read, as it is not a whole .npz archive", remedy),
        zipfile.ZipFile(path) as archive,
    ):
        return {info.filename.removesuffix(".npy"): partial(_from_archive, path, info) for info in archive.infolist()}


def read_array(stored: Stored, name: str) -> np.ndarray:
    """Read an array; nothing is unpickled.

    Args:
        stored: Arrays of `list_arrays`.
        name: Name of the array.

    Returns:
        The array.

    Raises:
        DataError: When it is damaged, holds objects, declares more than the file holds, or does not fit the memory.
    """
    with named_errors(
        f"{quote_names([name])} cannot be read",
        "store plain numbers or text, not objects, and write the file again if it was cut short",
    ):
        return stored[name]()


def _from_file(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return read_stored_array(file, f"'{path.name}'", path.stat().st_size, None)


def _from_archive(path: Path, info: zipfile.ZipInfo) -> np.ndarray:
    packed = min(info.compress_size, path.stat().st_size)
    with zipfile.ZipFile(path) as archive, archive.open(info) as file:
        return read_stored_array(file, quote_names([info.filename]), info.file_size, packed)
