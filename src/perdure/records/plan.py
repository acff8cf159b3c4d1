"""The plan of a command: the files it writes into a run folder, and the words that resume it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from perdure.core.errors import RunFolderError
from perdure.records.documents import from_yaml, to_yaml
from perdure.records.files import write_bytes

__all__ = ["FOLDER", "ExpectedFiles", "Plan", "read_plans", "write_plan"]

FOLDER = "{folder}"
"""Stands for the run folder among the words of a plan, since folders are moved."""

_FILE = "plan.yaml"


@dataclass(frozen=True)
class ExpectedFiles:
    """Files that a command writes one by one.

    Args:
        name: Name of the kind of file.
        pattern: Pattern of their paths in the run folder; a star matches anything but a slash.
        count: Number of files when the command is finished.
    """

    name: str
    pattern: str
    count: int = 1


@dataclass(frozen=True)
class Plan:
    """The files that a command writes.

    Args:
        words: Name and arguments of the command, with `FOLDER` for the run folder.
        wanted: Files, in the order in which they are written.
    """

    words: tuple[str, ...]
    wanted: tuple[ExpectedFiles, ...]


def write_plan(folder: Path, plan: Plan) -> None:
    """Store the plan of a command in its run folder, in place of an earlier one of the same command.

    Args:
        folder: Folder of the run.
        plan: Plan to store.

    Raises:
        RunFolderError: When the folder cannot be written, or what is there is no plan.
    """
    plans = {earlier.words[0]: earlier for earlier in read_plans(folder)} | {plan.words[0]: plan}
    write_bytes(folder / _FILE, to_yaml([_to_plain(item) for item in plans.values()]))


def read_plans(folder: Path) -> tuple[Plan, ...]:
    """Read the plans of the commands that wrote into a run folder.

    Args:
        folder: Folder of the run.

    Returns:
        One plan for each command, the first one first; none where runs were made without the command line.

    Raises:
        RunFolderError: When the file was not written by perdure.
    """
    path = folder / _FILE
    if not path.exists():
        return ()
    try:
        return tuple(_read(item) for item in from_yaml(path.read_bytes()))
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise RunFolderError(
            f"{path} was not written by perdure, or was changed since: {error!r}",
            "delete it: only 'perdure status' reads it",
        ) from error


def _to_plain(plan: Plan) -> dict[str, Any]:
    return {"words": list(plan.words), "wanted": [asdict(files) for files in plan.wanted]}


def _read(stored: Mapping[str, Any]) -> Plan:
    files = tuple(
        ExpectedFiles(str(item["name"]), str(item["pattern"]), int(item["count"])) for item in stored["wanted"]
    )
    first, *rest = map(str, stored["words"])
    return Plan((first, *rest), files)
