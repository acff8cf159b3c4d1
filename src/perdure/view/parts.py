"""Find the parts of a run folder: maps, scores and samples by their number."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from perdure.core.errors import PartError, RunFolderError
from perdure.records.folders import PART, RUN, wrong_folder_error
from perdure.records.place import is_local, read_errors

__all__ = ["Unit", "check_folder", "find_units"]

MAPS, SAMPLES = "maps", "samples"
"""Folders of the maps and of the explained samples."""

SKIPPED = frozenset({"across", "again", "model", "models", "paths", "seconds"})
"""Folders that hold further draws, runs and models, which are not what a run explains."""

_File = tuple[str, int, int]
"""Path, size and time of change."""

NAME = re.compile(r"part-(\d+)\.parquet")


@dataclass(frozen=True)
class Unit:
    """The parts of one number, which are about the same samples.

    Args:
        number: Number of the parts.
        maps: Files of maps, one for each model and method.
        scores: Files of scores.
        samples: File of the samples; None where there is none.
        signature: Digest of names, sizes and times of change, which differs when a file has changed.
        size: Bytes of all files.
    """

    number: int
    maps: tuple[Path, ...]
    scores: tuple[Path, ...]
    samples: Path | None
    signature: str
    size: int


def check_folder(folder: Path) -> Path:
    """Check that a folder can be viewed.

    Args:
        folder: Folder of a run, or of maps.

    Returns:
        The folder without links in its path.

    Raises:
        RunFolderError: When it is in a store, or cannot be read.
        PartError: When it is neither the folder of a run nor holds maps.
    """
    if not is_local(folder):
        raise RunFolderError(f"{folder} is in a store, and only folders of this machine can be viewed", "copy it here")
    with read_errors(folder):
        whole = folder.resolve()
        if not whole.is_dir() or not ((whole / RUN).is_file() or any(unit.maps for unit in find_units(whole))):
            raise wrong_folder_error(PartError, folder, "holds no maps", PART)
    return whole


def find_units(folder: Path) -> list[Unit]:
    """Find the parts of a folder; links are not followed, so that no file outside is read.

    Args:
        folder: Folder of a run, or of maps.

    Returns:
        Units by ascending number.
    """
    kinds: dict[int, dict[str, list[_File]]] = {}
    top = folder if (folder / MAPS).is_dir() or (folder / RUN).exists() else folder.parent
    for path, size, changed in _walk(folder, SKIPPED):
        match = NAME.fullmatch(path.name)
        assert match is not None
        kind = path.relative_to(top).parts[0]
        kind = kind if kind in (MAPS, SAMPLES) else MAPS if top != folder else "scores"
        files = kinds.setdefault(int(match[1]), {})
        files.setdefault(kind, []).append((str(path), size, changed))
    return [_make_unit(number, kinds[number]) for number in sorted(kinds)]


def _make_unit(number: int, files: dict[str, list[_File]]) -> Unit:
    every = sorted(file for members in files.values() for file in members)
    marks = "\n".join(f"{path}\0{size}\0{changed}" for path, size, changed in every)
    paths = {kind: tuple(Path(path) for path, _, _ in sorted(members)) for kind, members in files.items()}
    return Unit(
        number,
        paths.get(MAPS, ()),
        paths.get("scores", ()),
        next(iter(paths.get(SAMPLES, ())), None),
        hashlib.sha256(marks.encode(errors="surrogateescape")).hexdigest()[:16],
        sum(size for _, size, _ in every),
    )


def _walk(folder: Path, skipped: Collection[str] = ()) -> Iterator[tuple[Path, int, int]]:
    """Yield path, size and time of change of each part, but of some folders."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in skipped:
                    yield from _walk(Path(entry.path))
            elif NAME.fullmatch(entry.name):
                about = entry.stat(follow_symlinks=False)
                yield Path(entry.path), about.st_size, about.st_mtime_ns
