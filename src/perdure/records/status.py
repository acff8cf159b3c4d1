"""What a run folder says is done, and what is left."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from perdure.records.files import is_unfinished
from perdure.records.parts import damage
from perdure.records.place import place, reached
from perdure.records.plan import FOLDER, Plan, Wanted, read_plans
from perdure.records.run import Run, read_run

__all__ = ["Command", "Status", "Step", "read_status"]

FAILED = "failed.txt"
"""What a training that failed leaves in place of a checkpoint."""

SHOWN = (".html", ".png", ".csv", ".md")
"""Suffixes of what people look at."""


@dataclass(frozen=True)
class Step:
    """How far a command is with one kind of file.

    Args:
        name: What the files are.
        done: How many are there, whole.
        of: How many there will be.
        failed: In whose place there is a note of a failure.
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
    """How far a command is.

    Args:
        line: To type, to go on.
        steps: In the order in which they are done.
    """

    line: str
    steps: tuple[Step, ...]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be done."""
        return all(step.finished for step in self.steps)


@dataclass(frozen=True)
class Status:
    """What a run folder says of itself.

    Args:
        run: Its settings, and where and when it began.
        kind: The command that began it; None where it was not one of the command line.
        commands: That wrote into it, the first one first.
        failures: Causes, by the path of what failed or is damaged.
        pictures: Paths of pages, figures and tables.
        written: When a file was written last, ISO 8601 in UTC; None where the store does not tell.
    """

    run: Run
    kind: str | None
    commands: tuple[Command, ...]
    failures: Mapping[str, str]
    pictures: tuple[str, ...]
    written: str | None

    @property
    def left(self) -> str | None:
        """The command to go on with; None when all are finished."""
        return next((command.line for command in self.commands if not command.finished), None)


def read_status(path: Path | str) -> Status:
    """Look at what a run folder holds; nothing is computed, and nothing but files of the folder is read.

    Args:
        path: The folder, or the URL of one.

    Returns:
        What is done, what failed and what is left.

    Raises:
        RunFolderError: When it is no run folder.
    """
    run, plans = read_run(path), read_plans(place(path))
    with reached(run.path):
        files = {name: file for name, file in _files(run.path) if not is_unfinished(file)}
        failures = {name.rpartition("/")[0]: _first_line(file) for name, file in files.items() if file.name == FAILED}
    damaged = {name: cause for name, file in files.items() if file.suffix == ".parquet" and (cause := damage(file))}
    whole = sorted(files.keys() - damaged.keys())
    return Status(
        run,
        plans[0].words[0] if plans else None,
        tuple(_command(plan, run.path, whole) for plan in plans),
        failures | damaged,
        tuple(name for name in whole if name.endswith(SHOWN)),
        _latest(files.values()),
    )


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Walk through a folder, with the path of each file in it."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _command(plan: Plan, folder: Path, files: Sequence[str]) -> Command:
    words = ("perdure", *(str(folder) if word == FOLDER else word for word in plan.words))
    words = tuple(word if word.isprintable() else ascii(word) for word in words)
    return Command(shlex.join(words), tuple(_step(one, files) for one in plan.wanted))


def _step(wanted: Wanted, files: Sequence[str]) -> Step:
    done = sum(_fits(name, wanted.pattern) for name in files)
    beside = wanted.pattern.rpartition("/")[0] + f"/{FAILED}"
    failed = sum(_fits(name, beside) for name in files)
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
