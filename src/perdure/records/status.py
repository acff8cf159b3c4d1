"""The status of a run folder: what is done, and what is left."""

from __future__ import annotations

import shlex
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
import yaml

from perdure.core.errors import PerdureError
from perdure.core.plain_json import load_json
from perdure.records.documents import check_intact, from_npz, from_yaml
from perdure.records.files import is_unfinished
from perdure.records.parts import decode_part
from perdure.records.place import place, read_errors
from perdure.records.plan import FOLDER, ExpectedFiles, Plan, read_plans
from perdure.records.run import RunFolder, read_run

__all__ = ["Command", "Status", "Step", "read_status"]

FAILED = "failed.txt"
"""File that a failed training writes instead of a checkpoint."""

PART = ".parquet"

DECODERS: Mapping[str, Callable[[bytes], object]] = {
    PART: decode_part,
    ".json": load_json,
    ".npz": from_npz,
    ".safetensors": len,
    ".yaml": from_yaml,
}
"""Readers of the kinds of files whose digest is checked."""

DECODING_ERRORS = (pa.ArrowException, OSError, ValueError, yaml.YAMLError, zipfile.BadZipFile, zlib.error, PerdureError)

SHOWN = (".html", ".png", ".csv", ".md")
"""Suffixes of pages, figures and tables."""


@dataclass(frozen=True)
class Step:
    """The progress of a command with one kind of file.

    Args:
        name: Name of the kind of file.
        done: Number of complete files.
        of: Number of files when the command is finished.
        failed: Number of files in place of which there is a note of a failure.
    """

    name: str
    done: int
    of: int
    failed: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to be done."""
        return self.done + self.failed >= self.of


@dataclass(frozen=True)
class Command:
    """The progress of a command.

    Args:
        line: Command line that resumes it.
        steps: Steps, in the order in which they are done.
    """

    line: str
    steps: tuple[Step, ...]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be done."""
        return all(step.finished for step in self.steps)


@dataclass(frozen=True)
class Status:
    """The status of a run folder.

    Args:
        run: Settings of the run, and where and when it began.
        kind: Command that began it; None where it began in Python.
        commands: Commands that wrote into it, in order.
        failures: Causes of failure or damage, by path.
        pictures: Paths of pages, figures and tables.
        written: Time of the last write, ISO 8601 in UTC; None where the store does not report it.
        unchecked: Number of parts without a digest, which version 0.1 wrote; damage in them may not be found.
    """

    run: RunFolder
    kind: str | None
    commands: tuple[Command, ...]
    failures: Mapping[str, str]
    pictures: tuple[str, ...]
    written: str | None
    unchecked: int = 0

    @property
    def left(self) -> str | None:
        """The command to resume; None when all are finished."""
        return next((command.line for command in self.commands if not command.finished), None)


def read_status(path: Path | str) -> Status:
    """Read the status of a run folder; nothing is computed, and only files of the folder are read.

    Args:
        path: Folder, or its URL.

    Returns:
        What is done, what failed and what is left.

    Raises:
        RunFolderError: When it is no run folder.
    """
    run, plans = read_run(path), read_plans(place(path))
    with read_errors(run.path):
        files = {name: file for name, file in _files(run.path) if not is_unfinished(file)}
        failures = {name.rpartition("/")[0]: _first_line(file) for name, file in files.items() if file.name == FAILED}
    states = {name: _examine(file) for name, file in files.items() if file.suffix in DECODERS}
    damaged = {name: cause for name, (cause, _) in states.items() if cause is not None}
    whole = sorted(files.keys() - damaged.keys())
    return Status(
        run,
        plans[0].words[0] if plans else None,
        tuple(_command(plan, run.path, whole) for plan in plans),
        failures | damaged,
        tuple(name for name in whole if name.endswith(SHOWN)),
        _latest(files.values()),
        sum(not has_digest for name, (_, has_digest) in states.items() if name.endswith(PART)),
    )


def _examine(file: Path) -> tuple[str | None, bool]:
    """Find the defect of a file, and whether it has a digest; files without one are decoded."""
    try:
        data = file.read_bytes()
        if not check_intact(data):
            DECODERS[file.suffix](data)
            return None, False
    except DECODING_ERRORS as error:
        return str(error), True
    return None, True


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Walk through a folder, with the path of each file in it."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _command(plan: Plan, folder: Path, files: Sequence[str]) -> Command:
    words = ("perdure", *(str(folder) if word == FOLDER else word for word in plan.words))
    words = tuple(word if word.isprintable() else ascii(word) for word in words)
    return Command(shlex.join(words), tuple(_step(expected, files) for expected in plan.wanted))


def _step(wanted: ExpectedFiles, files: Sequence[str]) -> Step:
    done = sum(_fits(name, wanted.pattern) for name in files)
    note = wanted.pattern.rpartition("/")[0] + f"/{FAILED}"
    failed = sum(_fits(name, note) for name in files)
    return Step(wanted.name, min(done, wanted.count), wanted.count, failed)


def _fits(name: str, pattern: str) -> bool:
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _first_line(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").partition("\n")[0]


def _latest(files: Iterable[Path]) -> str | None:
    times = [file.stat().st_mtime for file in files]
    latest = max(times, default=0)
    return datetime.fromtimestamp(latest, UTC).isoformat(timespec="seconds") if latest else None
