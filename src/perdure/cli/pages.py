"""Pages: what a run folder holds, rendered; nothing is computed anew."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.cli.models import asks_for_code
from perdure.core.errors import RunFolderError
from perdure.records.plan import ExpectedFiles, read_plans
from perdure.records.run import RunFolder, read_run
from perdure.records.status import read_status

if TYPE_CHECKING:
    import numpy as np

    from perdure.report.pages.page import Page

__all__ = ["began", "record_and_page", "write_page"]

KINDS = ("audit", "reproduce", "path")
"""What has a page: a record KIND.json and its arrays KIND.npz."""


def record_and_page(kind: str) -> tuple[ExpectedFiles, ...]:
    """Name the files that a command with a page ends with.

    Args:
        kind: one of `KINDS`.

    Returns:
        The record and the page.
    """
    return ExpectedFiles("record", f"{kind}.json"), ExpectedFiles("page", "report.html")


def write_page(folder: Path) -> Path:
    """Render the page of a run from what its folder holds.

    Args:
        folder: of an audit, of `perdure reproduce` or of `perdure path`.

    Returns:
        Where the page is.

    Raises:
        RunFolderError: when the folder holds no finished record, or a damaged one.
    """
    from perdure.records.files import write_text
    from perdure.records.record import damage_errors, read_record
    from perdure.report.pages.page import render

    run = read_run(folder)
    kind = next((one for one in KINDS if (folder / f"{one}.json").exists()), None)
    if kind is None:
        raise RunFolderError(*_no_page(run))
    record, arrays = read_record(folder, kind)
    with damage_errors(folder, kind):
        page = render(_page(kind, record, arrays))
    write_text(folder / "report.html", page)
    return folder / "report.html"


def began(folder: Path) -> str:
    """Name the command that began a run.

    Args:
        folder: of the run.

    Returns:
        The name, or "" for a run of Python.
    """
    plans = read_plans(folder)
    return plans[0].words[0] if plans else ""


def _no_page(run: RunFolder) -> tuple[str, str]:
    """Say why a run has no page, and what shows its results."""
    kind = began(run.path)
    if kind in KINDS:
        return f"'perdure {kind}' has not finished in {run.path}", f"run it again: {read_status(run.path).left}"
    if kind in INSTEAD:
        return f"{run.path} is a run of 'perdure {kind}', which has no page", INSTEAD[kind](run)
    return (
        f"{run.path} holds no record of an audit, a reproduction or paths",
        "give the folder of 'perdure audit', 'perdure reproduce' or 'perdure path'",
    )


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
    return (option, model) if asks_for_code(model) else ()


INSTEAD: Mapping[str, Callable[[RunFolder], str]] = {
    "explain": _after_explain,
    "train": _after_train,
    "study": _after_study,
}
"""What shows the results of the commands without a page."""


def _page(kind: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Page:
    if kind == "audit":
        from perdure.report.pages.audit import build_audit_page, read_audit

        return build_audit_page(read_audit(record, arrays))
    if kind == "reproduce":
        from perdure.report.pages.reproduction import build_reproduction_page, read_reproduction

        return build_reproduction_page(read_reproduction(record, arrays))
    from perdure.report.pages.paths import build_paths_page, read_paths

    return build_paths_page(read_paths(record, arrays))
