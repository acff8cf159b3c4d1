"""Records of pages: a JSON file and its arrays, which are read unchanged or not at all."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from perdure.core.errors import RunFolderError, user_code_errors
from perdure.records.files import write_bytes, write_text
from perdure.records.place import exists, read_errors

__all__ = ["damage_errors", "read_record", "write_record"]

_DIGEST = "digest"


def write_record(
    folder: Path, kind: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> Mapping[str, Any]:
    """Store what a page shows, as `KIND.npz` and then `KIND.json` with a digest of both.

    Args:
        folder: Folder of the run.
        kind: Name of both files.
        record: Plain data.
        arrays: Arrays by name.

    Returns:
        The record with its digest, as it is stored.

    Raises:
        RunFolderError: When the system cannot write.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    stored = {**record, _DIGEST: _digest(record, buffer.getvalue())}
    write_bytes(folder / f"{kind}.npz", buffer.getvalue())
    write_text(folder / f"{kind}.json", json.dumps(stored, indent=2))
    return stored


def read_record(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `write_record` stored.

    Args:
        folder: Folder of the run.
        kind: Name of both files.

    Returns:
        The record and its arrays.

    Raises:
        RunFolderError: When a file is missing, damaged, or was changed since.
    """
    files = [folder / f"{kind}.{suffix}" for suffix in ("json", "npz")]
    lost = [file for file in files if not exists(file)]
    if lost:
        raise RunFolderError(f"{lost[0]} is missing", _remedy(folder))
    with read_errors(folder):
        text, packed = (file.read_bytes() for file in files)
    with damage_errors(folder, kind):
        record = json.loads(text)
        digest = record.pop(_DIGEST, None)
        if digest not in (None, _digest(record, packed)):  # records of version 0.1 have no digest
            raise RunFolderError(f"{files[0]} or {files[1].name} was changed since it was written", _remedy(folder))
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            return record, dict(arrays)


@contextmanager
def damage_errors(folder: Path, kind: str) -> Iterator[None]:
    """Raise a named error where a record cannot be read or drawn, since its source is not trusted.

    Args:
        folder: Folder of the run.
        kind: Name of the record.

    Yields:
        Nothing.

    Raises:
        RunFolderError: When the record is not one that perdure wrote.
    """
    with user_code_errors(RunFolderError, f"{folder / kind}.json is damaged: its reader", _remedy(folder)):
        yield


def _remedy(folder: Path) -> str:
    return f"run the command again that 'perdure status {folder}' names; finished parts are kept"


def _digest(record: Mapping[str, Any], packed: bytes) -> str:
    return hashlib.sha256(json.dumps(record, indent=2).encode() + packed).hexdigest()[:16]
