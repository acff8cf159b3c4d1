"""Stored arrays of numpy, which are read only where they fit the memory."""

from __future__ import annotations

from math import prod
from typing import IO

import numpy as np

from perdure.core.errors import DataError
from perdure.core.memory import available_memory

__all__ = ["COPIES", "FOLD", "SMALL", "bomb_error", "check_fits", "read_stored_array"]

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Readers of the headers, by version; the third is of tables with names in Unicode alone."""

COPIES = 3
"""Copies of the largest array that a loader holds at once: as stored, as float32, and as split."""

SMALL = 2**28
"""Bytes that any compressed file may unpack to."""

FOLD = 100
"""Factor by which a larger one may grow; data of measurements grow 2- to 20-fold, bombs about 1000-fold."""


def check_fits(name: str, size: int, packed: int | None = None) -> None:
    """Check that data fit the memory before any of it is taken.

    Args:
        name: Name of the data in the message, with quotes.
        size: Bytes once they are read.
        packed: Bytes of the compressed form; None where they are not compressed.

    Raises:
        DataError: When the available memory is less than three times the size, or compressed data of more than
            256 MiB grow more than 100-fold.

    Example:
        >>> check_fits("'a.npz'", 40 * 10**12)
        Traceback (most recent call last):
        perdure.core.errors.DataError: 'a.npz' takes 40000.00 GB once it is read, ...
    """
    free = available_memory()
    if size * COPIES > free:
        raise DataError(
            f"{name} takes {size / 1e9:.2f} GB once it is read, and reading needs {COPIES} times that, but only "
            f"{free / 1e9:.2f} GB of memory are available",
            "give fewer samples, or a machine with more memory; if the size is wrong, the file is damaged",
        )
    if packed is not None and size > max(SMALL, FOLD * packed):
        raise bomb_error(name, packed)


def read_stored_array(file: IO[bytes], name: str, size: int, packed: int | None) -> np.ndarray:
    """Read an array of the format of numpy, whose declared size is checked before memory is taken.

    Args:
        file: File, open at the start of the array.
        name: Name of the array in messages, with quotes.
        size: Bytes of the file.
        packed: Bytes of its compressed form; None where it is not compressed.

    Returns:
        The array; nothing is unpickled.

    Raises:
        ValueError: When it holds objects, has an unknown format, or declares more than the file holds.
        DataError: When it does not fit the memory, or unpacks as files made to exhaust the memory do.
    """
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format is not known")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be read")
    declared, stored = prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or not dtype.itemsize or declared > stored:
        raise ValueError(f"the header declares {shape} values of type {dtype}, but there are {stored} bytes")
    check_fits(name, declared, packed)
    file.seek(0)
    values: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return values


def bomb_error(name: str, packed: int) -> DataError:
    """Make the error of a compressed file that would exhaust the memory.

    Args:
        name: Name of the file, with quotes.
        packed: Bytes of its compressed form.

    Returns:
        The error, to be raised.
    """
    return DataError(
        f"{name} has {packed / 1e6:.2f} MB and would unpack to more than {max(SMALL, FOLD * packed) / 1e6:.0f} MB, as "
        "files made to exhaust the memory do",
        "store it without compression where you trust it",
    )
