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
from perdure.core.memory import available_memory
from perdure.core.printable import printable
from perdure.core.stored_array import COPIES, FOLD, SMALL, bomb_error, check_fits

__all__ = ["COMPRESSED", "FAILURES", "named_errors", "unpack"]

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
        raise bomb_error(f"'{path}'", packed)
    return content
