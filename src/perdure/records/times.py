"""Times of a run, in separate files: all other files of the same run have the same bytes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perdure.records.documents import from_json, to_json
from perdure.records.files import write_bytes
from perdure.records.place import exists

__all__ = ["TIMES", "read_times", "write_times"]

TIMES = "times.json"
"""Name of the files with times; no other file of a run contains any."""


def write_times(folder: Path, **times: Any) -> None:
    """Store times of the work in a folder, in addition to those that are there.

    Args:
        folder: Folder of a run, or of some of its results.
        times: Seconds, or moments as text.

    Raises:
        RunFolderError: When the system cannot write.
    """
    write_bytes(folder / TIMES, to_json({**read_times(folder), **times}))


def read_times(folder: Path) -> Mapping[str, Any]:
    """Read the times of the work in a folder.

    Args:
        folder: Folder, as in `write_times`.

    Returns:
        Times by name; empty where there are none, or where they are damaged, as no result depends on them.
    """
    if not exists(folder / TIMES):
        return {}
    try:
        return from_json((folder / TIMES).read_bytes())
    except (OSError, ValueError, TypeError) as error:
        warnings.warn(f"{folder / TIMES} is damaged, and left out: {error}", stacklevel=2)
        return {}
