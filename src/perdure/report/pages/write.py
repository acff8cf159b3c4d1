"""Write the page of a result, or of what its run folder contains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perdure.audit.path import PathReport
from perdure.audit.reproduction import Reproduction
from perdure.audit.result import Audit, Result
from perdure.core.errors import RunFolderError
from perdure.records.files import write_text
from perdure.records.record import damage_errors, read_record
from perdure.records.run import read_run
from perdure.records.times import read_times
from perdure.report.badge import draw_badge
from perdure.report.pages.audit import build_audit_page
from perdure.report.pages.explained import build_explained_page
from perdure.report.pages.page import Page, render
from perdure.report.pages.paths import build_paths_page
from perdure.report.pages.reproduction import build_reproduction_page
from perdure.report.pages.training import build_training_page, find_trainings

__all__ = ["KINDS", "find_kind", "read_result", "render_result", "write_page"]

KINDS: Mapping[str, type[Audit | Reproduction | PathReport]] = {
    "audit": Audit,
    "reproduce": Reproduction,
    "path": PathReport,
}
"""The results with a page, by the name of their files KIND.json and KIND.npz."""


def write_page(folder: Path, result: Result | None = None) -> Path:
    """Write the page of a result.

    Args:
        folder: Folder of the result; the page is `report.html` in it, and the badge of an audit `badge.svg`.
        result: Result to render; None for the one that the folder contains.

    Returns:
        The path of the page.

    Raises:
        RunFolderError: When the folder contains nothing to draw, or a damaged record.
    """
    result = _read_folder(folder) if result is None else result
    if result is None:
        html = _render_folder(folder)
    else:
        with damage_errors(folder, result.kind):
            html = render_result(result)
    if isinstance(result, Audit):
        write_text(folder / "badge.svg", draw_badge(result))
    write_text(folder / "report.html", html)
    return folder / "report.html"


def _read_folder(folder: Path) -> Result | None:
    """Read the result that a folder contains; None for a folder without a record."""
    kind = find_kind(folder)
    if kind is None:
        return None
    record, arrays = read_record(folder, kind)
    with damage_errors(folder, kind):
        result = read_result(kind, record, arrays)
        return result.add_times(read_times(folder)) if isinstance(result, Audit) else result


def _render_folder(folder: Path) -> str:
    """Render the page of maps or trained models."""
    run = read_run(folder)
    if (run.path / "maps").is_dir():
        return render(build_explained_page(run))
    if find_trainings(run.path):
        return render(build_training_page(run))
    raise RunFolderError(
        f"{run.path} contains no record of an audit, a reproduction or paths, and no maps or trained models",
        "give the folder of 'perdure audit', 'reproduce', 'path', 'explain' or 'train'",
    )


def find_kind(folder: Path) -> str | None:
    """Find the kind of result that a folder contains.

    Args:
        folder: Folder of a run.

    Returns:
        A key of `KINDS`, or None.
    """
    return next((kind for kind in KINDS if (folder / f"{kind}.json").exists()), None)


def read_result(kind: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Result:
    """Read a result from its record.

    Args:
        kind: Key of `KINDS`.
        record: Plain data.
        arrays: Arrays by name.

    Returns:
        The typed result.
    """
    return KINDS[kind].from_dict(record, arrays)


def render_result(result: Result) -> str:
    """Render the page of a result.

    Args:
        result: Audit, reproduction or paths.

    Returns:
        Self-contained HTML.
    """
    return render(_build_page(result))


def _build_page(result: Result) -> Page:
    if isinstance(result, Audit):
        return build_audit_page(result)
    if isinstance(result, Reproduction):
        return build_reproduction_page(result)
    assert isinstance(result, PathReport)
    return build_paths_page(result)
