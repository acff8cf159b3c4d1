"""What shows the results of a run folder."""

from __future__ import annotations

from pathlib import Path

from perdure.core.errors import RunFolderError
from perdure.records.plan import ExpectedFiles, read_plans
from perdure.records.run import RunFolder, read_run
from perdure.records.status import read_status

__all__ = ["began", "check_has_page", "record_and_page"]

KINDS = ("audit", "reproduce", "path")
"""Commands with a record: each writes KIND.json, its arrays KIND.npz and a page."""


def record_and_page(kind: str) -> tuple[ExpectedFiles, ...]:
    """Name the files that a command with a page ends with.

    Args:
        kind: one of `KINDS`.

    Returns:
        The record and the page.
    """
    return ExpectedFiles("record", f"{kind}.json"), ExpectedFiles("page", "report.html")


def began(folder: Path) -> str:
    """Name the command that began a run.

    Args:
        folder: Folder of the run.

    Returns:
        The name, or "" for a run of Python.
    """
    plans = read_plans(folder)
    return plans[0].words[0] if plans else ""


def check_has_page(folder: Path) -> None:
    """Check that the command which began a run has a page, and has finished.

    Args:
        folder: Folder of the run.

    Raises:
        RunFolderError: When it has none, with the command that shows its results.
    """
    run = read_run(folder)
    if any((folder / f"{kind}.json").exists() for kind in KINDS):
        return
    kind = began(run.path)
    if kind in KINDS:
        status = read_status(run.path)
        raise RunFolderError(f"'perdure {kind}' has not finished in {run.path}", f"run it again: {status.left}")
    if kind == "study":
        raise RunFolderError(f"{run.path} is a run of 'perdure study', which has no page", _after_study(run))


def _after_study(run: RunFolder) -> str:
    status = read_status(run.path)
    shown = ", ".join(str(run.path / name) for name in status.pictures)
    return f"open {shown}" if shown else f"finish it first: {status.left}"
