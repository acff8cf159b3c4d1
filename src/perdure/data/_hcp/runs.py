"""Runs of the Human Connectome Project in a folder, in any of its public layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perdure.core.errors import DataError, EmptyDataError
from perdure.data._read.guard import named_errors

__all__ = ["DIRECTIONS", "TASKS", "Run", "Runs", "find_runs"]

TASKS = ("MOTOR", "WM", "EMOTION", "GAMBLING", "LANGUAGE", "RELATIONAL", "SOCIAL")
"""The seven tasks, in the order of the numbers of their files."""

DIRECTIONS = ("RL", "LR")
"""The directions of phase encoding, in the order of the numbers of their files."""

FIRST_FILE = 5
"""Number of the first file that holds a task; those before are rest."""

MARKS = {
    "listed": "subjects_list.txt",
    "numbered": "subjects/*/timeseries",
    "connectome": "*/MNINonLinear/Results",
}
"""Files by which the layouts are recognised."""


@dataclass(frozen=True)
class Run:
    """One scan of one subject.

    Args:
        subject: Name of the subject.
        task: One of `TASKS`.
        direction: Direction of phase encoding, "LR" or "RL".
        series: File of the signal.
        events: Folder with the timing of the conditions.
    """

    subject: str
    task: str
    direction: str
    series: Path
    events: Path

    @property
    def name(self) -> str:
        """Subject, task and direction in one word."""
        return f"{self.subject}-{self.task}-{self.direction}"


@dataclass(frozen=True)
class Runs:
    """All runs of a folder, subject by subject.

    Args:
        runs: Runs of all subjects.
        regions: File with the names of the regions; None where the signal lies on a surface.
    """

    runs: tuple[Run, ...]
    regions: Path | None


def find_runs(folder: Path, tasks: Sequence[str]) -> Runs:
    """Find the runs of tasks; every subject must have both directions of each.

    - *listed*: `subjects_list.txt` and `subjects/<id>/<TASK>/tfMRI_<TASK>_<LR|RL>/data.npy`, timing next to it.
    - *numbered*: `subjects/<i>/timeseries/bold<k>_Atlas_MSMAll_Glasser360Cortical.npy`, where k counts tasks from 5
      with RL before LR, and timing in `subjects/<i>/EVs/tfMRI_<TASK>_<LR|RL>`.
    - *connectome*: `<id>/MNINonLinear/Results/tfMRI_<TASK>_<LR|RL>/..._Atlas_MSMAll.dtseries.nii`, timing next to it.

    Args:
        folder: Folder with such a layout, or its parent.
        tasks: Tasks among `TASKS`.

    Returns:
        The runs.

    Raises:
        DataError: When the folder has none of the layouts, or a subject lacks a run.
        EmptyDataError: When no subject is there.
    """
    root, layout = _recognise_layout(folder)
    subjects = _subjects(root, layout)
    if not subjects:
        raise EmptyDataError(f"'{root}' holds no subject", "unpack the folders of the subjects there")
    place = {"listed": _find_listed, "numbered": _find_numbered, "connectome": _find_connectome}[layout]
    runs = tuple(place(root, subject, task, way) for subject in subjects for task in tasks for way in DIRECTIONS)
    for run in runs:
        if not run.series.is_file():
            raise DataError(
                f"subject '{run.subject}' has no run {run.task} {run.direction}: there is no file '{run.series}'",
                "fetch it, leave the task out with tasks=, or take the subject out of the folder or the list",
            )
    return Runs(runs, None if layout == "connectome" else root / "regions.npy")


def _recognise_layout(folder: Path) -> tuple[Path, str]:
    inner = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for root in (folder, *inner):
        for layout, mark in MARKS.items():
            if next(root.glob(mark), None) is not None:
                return root, layout
    raise DataError(
        f"'{folder}' is none of the layouts of the task data",
        f"give the folder that holds {', '.join(MARKS.values())}, as it was unpacked",
    )


def _subjects(root: Path, layout: str) -> list[str]:
    if layout == "listed":
        with named_errors(f"'{root / MARKS['listed']}' cannot be read", "write it again, in UTF-8"):
            return (root / MARKS["listed"]).read_text(encoding="utf-8").split()
    inner = MARKS[layout].split("/").index("*")
    result = {path.relative_to(root).parts[inner] for path in root.glob(MARKS[layout])}
    return sorted(result, key=lambda name: (len(name), name))


def _scan(task: str, direction: str) -> str:
    return f"tfMRI_{task}_{direction}"


def _find_listed(root: Path, subject: str, task: str, direction: str) -> Run:
    folder = root / "subjects" / subject / task / _scan(task, direction)
    return Run(subject, task, direction, folder / "data.npy", folder / "EVs")


def _find_numbered(root: Path, subject: str, task: str, direction: str) -> Run:
    folder = root / "subjects" / subject
    number = FIRST_FILE + 2 * TASKS.index(task) + DIRECTIONS.index(direction)
    series = folder / "timeseries" / f"bold{number}_Atlas_MSMAll_Glasser360Cortical.npy"
    return Run(subject, task, direction, series, folder / "EVs" / _scan(task, direction))


def _find_connectome(root: Path, subject: str, task: str, direction: str) -> Run:
    folder = root / subject / "MNINonLinear" / "Results" / _scan(task, direction)
    series = folder / f"{folder.name}_Atlas_MSMAll.dtseries.nii"
    return Run(subject, task, direction, series, folder / "EVs")
