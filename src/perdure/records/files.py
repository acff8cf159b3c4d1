"""Write files that are either complete or absent."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from perdure.core.errors import RunFolderError, user_code_errors
from perdure.records.place import is_local

__all__ = ["LOCK", "atomic", "clear_unfinished", "is_unfinished", "write_bytes", "write_text"]

KEPT = "all finished files are kept"
_UNFINISHED = ".perdure-tmp"

LOCK = ".perdure-lock"
"""Name of the file that a process holds while it writes into a run folder."""


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when it is complete.

    It is written under a temporary name in the same folder, flushed to the disk and renamed. After a failure the
    temporary file is removed and an earlier file at `path` is kept. To a store it is sent in one piece, which stores
    show as a whole or not at all.

    Args:
        path: Name of the finished file; missing folders are made.

    Yields:
        A binary file to write to.

    Raises:
        RunFolderError: When the system cannot write, as on a full disk or without permission.
    """
    if not is_local(path):
        buffer = io.BytesIO()
        yield buffer
        remedy = "check the address, the permission and the network, and run the same command again; " + KEPT
        with user_code_errors(RunFolderError, f"cannot write {path}: the store", remedy):
            path.write_bytes(buffer.getvalue())
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_UNFINISHED}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunFolderError(
            f"cannot write {path}: {error.strerror or error}",
            f"free space or get permission and run the same command again; {KEPT}",
        ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a complete file, or keep the earlier one.

    Args:
        path: Name of the file.
        data: Content of the file.

    Raises:
        RunFolderError: When the system cannot write.
    """
    with atomic(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write a complete text file in UTF-8, or keep the earlier one.

    Args:
        path: Name of the file.
        text: Content of the file.

    Raises:
        RunFolderError: When the system cannot write.
    """
    write_bytes(path, text.encode())


def is_unfinished(path: Path) -> bool:
    """Return whether a file is one that a killed process left incomplete, or its lock.

    Args:
        path: File.

    Returns:
        True for temporary files of `atomic`, and for `LOCK`.
    """
    return path.name.endswith(_UNFINISHED) or path.name == LOCK


def clear_unfinished(folder: Path) -> None:
    """Remove the incomplete files of killed processes.

    Args:
        folder: Folder to search with all folders inside; no other process may be writing there. Stores have none.
    """
    if not is_local(folder):
        return
    for path in folder.rglob(f".*{_UNFINISHED}"):
        path.unlink(missing_ok=True)
