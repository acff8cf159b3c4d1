"""The plan of a command: what it set out to write into a run folder, and the words to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from perdure.core.errors import RunFolderError
from perdure.core.plain_yaml import dump_yaml, load_yaml
from perdure.records.files import write_text

__all__ = ["FOLDER", "Plan", "Wanted", "read_plans", "write_plan"]

FOLDER = "{folder}"
"""Stands for the run folder among the words of a plan, since folders are moved."""

_FILE = "plan.yaml"


@dataclass(frozen=True)
class Wanted:
    """Files that a command writes one by one.

    Args:
        name: What they are, in a word.
        pattern: Of their paths in the run folder; a star stands for anything but a slash.
        count: How many there will be.
    """

    name: str
    pattern: str
    count: int = 1


@dataclass(frozen=True)
class Plan:
    """What a command set out to write.

    Args:
        words: Its name and arguments, with `FOLDER` for the run folder.
        wanted: The files, in the order in which they are written.
    """

    words: tuple[str, ...]
    wanted: tuple[Wanted, ...]


def write_plan(folder: Path, plan: Plan) -> None:
    """Keep the plan of a command in its run folder, in place of an earlier one of the same command.

    Args:
        folder: Of the run.
        plan: What is set out.

    Raises:
        RunFolderError: When the folder cannot be written, or what is there is no plan.
    """
    plans = {one.words[0]: one for one in read_plans(folder)} | {plan.words[0]: plan}
    write_text(folder / _FILE, dump_yaml([_stored(one) for one in plans.values()]))


def read_plans(folder: Path) -> tuple[Plan, ...]:
    """Read the plans of the commands that wrote into a run folder.

    Args:
        folder: Of the run.

    Returns:
        One plan for each command, the first one first; none where runs were made without the command line.

    Raises:
        RunFolderError: When the file was not written by perdure.
    """
    path = folder / _FILE
    if not path.exists():
        return ()
    try:
        return tuple(_read(one) for one in load_yaml(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise RunFolderError(
            f"{path} was not written by perdure, or was changed since: {error!r}",
            "delete it: nothing but 'perdure status' reads it",
        ) from error


def _stored(plan: Plan) -> dict[str, Any]:
    return {"words": list(plan.words), "wanted": [asdict(one) for one in plan.wanted]}


def _read(stored: Mapping[str, Any]) -> Plan:
    wanted = tuple(Wanted(str(one["name"]), str(one["pattern"]), int(one["count"])) for one in stored["wanted"])
    first, *others = map(str, stored["words"])
    return Plan((first, *others), wanted)
