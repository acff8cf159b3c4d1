"""Records of pages: a JSON file and its arrays, which are read unchanged or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from perdure.core.errors import RunFolderError, user_code_errors
from perdure.records.documents import from_json, from_npz, to_json, to_npz
from perdure.records.files import write_bytes
from perdure.records.place import exists, read_errors
from perdure.records.seal import file_digest, is_intact

__all__ = ["damage_errors", "read_record", "write_record"]

_ARRAYS = "digest_of_arrays"


def write_record(
    folder: Path, kind: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> Mapping[str, Any]:
    """Store what a page shows, as `KIND.npz` and then `KIND.json`, each with its digest.

    Args:
        folder: Folder of the run.
        kind: Name of both files.
        record: Plain data.
        arrays: Arrays by name.

    Returns:
        The record with the digest of its arrays.

    Raises:
        RunFolderError: When the system cannot write.
    """
    packed = to_npz(arrays)
    stored = {**record, _ARRAYS: file_digest(packed)}
    write_bytes(folder / f"{kind}.npz", packed)
    write_bytes(folder / f"{kind}.json", to_json(stored))
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
    for file, data in zip(files, (text, packed), strict=True):
        if is_intact(data) is False:
            raise RunFolderError(f"{file} was changed since it was written", _remedy(folder))
    with damage_errors(folder, kind):
        record = from_json(text)
        if record.pop(_ARRAYS, None) not in (None, file_digest(packed)):  # records of version 0.1 have no digest
            raise RunFolderError(f"{files[0]} and {files[1].name} are of different runs", _remedy(folder))
        return record, from_npz(packed)


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
