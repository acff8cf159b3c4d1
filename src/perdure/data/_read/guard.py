"""Guards of the file readers: raw errors become named errors, and no file exceeds the available memory."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perdure.core.errors import DataError
from perdure.core.printable import printable
from perdure.core.resources import available_memory

__all__ = ["COMPRESSED", "FAILURES", "check_fits", "named_errors", "unpack"]

FAILURES = (
    ValueError,
    OSError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    SyntaxError,
    RuntimeError,  # encrypted archives; includes NotImplementedError and RecursionError
    MemoryError,
    csv.Error,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""Errors that numpy, Arrow, Pillow and the readers of the standard library raise for damaged files."""

COMPRESSED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

COPIES = 3
"""Copies of the largest array that a loader holds at once: as stored, as float32, and as split."""

SMALL = 2**28
"""Bytes that any compressed file may unpack to."""

FOLD = 100
"""Factor by which a larger one may grow; data of measurements grow 2- to 20-fold, bombs about 1000-fold."""

LONGEST = 300
"""Characters of a foreign error that a message shows."""


@contextmanager
def named_errors(cause: str, remedy: str) -> Iterator[None]:
    r"""Turn errors of a library about a damaged file into a named error.

    Args:
        cause: Start of the message, such as "'a.npz' cannot be read".
        remedy: Remedy of the message.

    Yields:
        Nothing; wrap only calls of libraries.

    Raises:
        DataError: With the library's message after the cause. Errors of perdure pass unchanged.

    Example:
        >>> with named_errors("'a.csv' cannot be read", "write it again"):
        ...     b"\xff".decode("utf-8")
        Traceback (most recent call last):
        perdure.core.errors.DataError: 'a.csv' cannot be read: 'utf-8' codec can't decode byte 0xff ...
    """
    try:
        yield
    except FAILURES as error:
        words = printable(str(error) or type(error).__name__, LONGEST)
        raise DataError(f"{cause}: {words}", remedy) from error


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
        raise _bomb(name, packed)


def unpack(path: Path) -> bytes:
    """Read a whole file, decompressed where its last suffix is .gz, .bz2 or .xz.

    Args:
        path: Path of the file.

    Returns:
        Its content.

    Raises:
        DataError: When it does not fit the memory, found before more than that is taken.
    """
    packed = path.stat().st_size
    if path.suffix.lower() not in COMPRESSED:
        check_fits(f"'{path}'", packed)
        return path.read_bytes()
    most = min(max(SMALL, FOLD * packed), available_memory() // COPIES)
    with COMPRESSED[path.suffix.lower()](path, "rb") as file:
        content: bytes = file.read(most + 1)
    if len(content) > most:
        check_fits(f"'{path}'", len(content))
        raise _bomb(f"'{path}'", packed)
    return content


def _bomb(name: str, packed: int) -> DataError:
    return DataError(
        f"{name} has {packed / 1e6:.2f} MB and would unpack to more than {max(SMALL, FOLD * packed) / 1e6:.0f} MB, as "
        "files made to exhaust the memory do",
        "store it without compression where you trust it",
    )
