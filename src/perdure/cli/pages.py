"""What shows the results of a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from perdure.core.errors import RunFolderError
from perdure.records.plan import ExpectedFiles, read_plans
from perdure.records.run import RunFolder, read_run
from perdure.records.status import read_status

__all__ = ["began", "check_has_page", "record_and_page"]

KINDS = ("audit", "reproduce", "path")
"""Commands with a page: each writes a record KIND.json and its arrays KIND.npz."""


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
    if kind in INSTEAD:
        raise RunFolderError(f"{run.path} is a run of 'perdure {kind}', which has no page", INSTEAD[kind](run))


def _after_explain(run: RunFolder) -> str:
    scores = shlex.join(("perdure", "evaluate", str(run.path), *_factory(run.config["model"], "--model")))
    weights = ("--weights", run.config["weights"]) if run.config["weights"] else ()
    audit = shlex.join(("perdure", "audit", run.config["model"], run.config["data"], *weights))
    return f"for the scores of its maps: {scores}; for a page with verdicts: {audit}"


def _after_train(run: RunFolder) -> str:
    folder, source = str(next(run.path.glob("seed-*/"), "FOLDER")), run.config["model"]["source"]
    own = isinstance(source, dict) and "code" in source
    model = (source["source"], run.config["data"], "--weights", folder) if own else (folder, run.config["data"])
    return f"for a page about a trained model: {shlex.join(('perdure', 'audit', *model))}"


def _after_study(run: RunFolder) -> str:
    status = read_status(run.path)
    shown = ", ".join(str(run.path / name) for name in status.pictures)
    return f"open {shown}" if shown else f"finish it first: {status.left}"


def _factory(model: str, option: str) -> tuple[str, ...]:
    from perdure.training.model_spec import resolve_model

    return (option, model) if resolve_model(model).needs_user_code else ()


INSTEAD: Mapping[str, Callable[[RunFolder], str]] = {
    "explain": _after_explain,
    "train": _after_train,
    "study": _after_study,
}
"""What shows the results of the commands without a page."""
