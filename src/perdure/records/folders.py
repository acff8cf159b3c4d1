"""Describe a folder, for readers of a folder of another kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from perdure.core.errors import PerdureError
from perdure.records.place import read_errors, readable

__all__ = ["describe", "wrong_folder_error"]

RUN, MODEL, PART = "run.yaml", "model.yaml", "part-*.parquet"
"""What marks a run folder, a trained model, and maps or scores."""

ABOVE = 3
"""How many folders above are searched."""

NAMED = 3
"""How many folders a message names."""


def wrong_folder_error(error: type[PerdureError], folder: Path, lack: str, mark: str) -> PerdureError:
    """Make the error of a reader of a folder of the wrong kind, with the folder that is meant.

    Args:
        error: The class of the error.
        folder: Folder that was given.
        lack: Defect of the folder, such as "is not a run folder".
        mark: Name of the file that marks it, or a pattern.

    Returns:
        The error, to be raised.
    """
    with read_errors(folder):
        cause = f"{folder} {lack}: {describe(folder)}"
        inside = list(dict.fromkeys(path.parent for path in _inside(folder, mark)))
        above = next((parent for parent in folder.parents[:ABOVE] if next(parent.glob(mark), None)), None)
    if inside:
        return error(cause, f"give {'the folder' if len(inside) == 1 else 'one of the folders'} in it: {_few(inside)}")
    return error(
        cause, "check the path; give the folder that an earlier command wrote" if above is None else f"give {above}"
    )


def describe(folder: Path) -> str:
    """Describe what a folder is.

    Args:
        folder: Any path.

    Returns:
        A sentence about it.
    """
    if not folder.exists():
        return "there is no such folder"
    if not folder.is_dir():
        return "it is a file"
    if (folder / RUN).exists():
        return "it is the folder of a run"
    if (folder / MODEL).exists():
        return "it is a trained model"
    part = next(folder.glob(PART), None)
    if part is not None:
        return "it holds maps" if _is_map(part) else "it holds scores or other tables"
    names = sorted(path.name for path in folder.iterdir())
    return f"it holds {_few(names)}" if names else "it is empty"


def _inside(folder: Path, mark: str) -> Iterator[Path]:
    """Search the folders inside, one level deeper in a run folder."""
    if not folder.is_dir():
        return
    for depth in range(1, 4 if (folder / RUN).exists() else 3):
        for path in sorted(folder.glob("*/" * depth + mark)):
            if mark != PART or _is_map(path):
                yield path


def _few(names: Sequence[object]) -> str:
    return ", ".join(map(str, names[:NAMED])) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _is_map(part: Path) -> bool:
    try:
        return "attribution" in pq.read_schema(readable(part)).names
    except (pa.ArrowException, OSError):
        return False
