"""Pages: what a run folder holds, rendered; nothing is computed anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.core.errors import RunFolderError
from perdure.records.plan import Wanted

if TYPE_CHECKING:
    import numpy as np

    from perdure.report.pages.page import Page

__all__ = ["record_and_page", "write_page"]

KINDS = ("audit", "reproduce", "path")
"""What has a page: a record KIND.json and its arrays KIND.npz."""


def record_and_page(kind: str) -> tuple[Wanted, ...]:
    """Name the files that a command with a page ends with.

    Args:
        kind: one of `KINDS`.

    Returns:
        The record and the page.
    """
    return Wanted("record", f"{kind}.json"), Wanted("page", "report.html")


def write_page(folder: Path) -> Path:
    """Render the page of a run from what its folder holds.

    Args:
        folder: of an audit, of `perdure reproduce` or of `perdure path`.

    Returns:
        Where the page is.

    Raises:
        RunFolderError: when the folder holds no finished record.
    """
    import numpy as np

    from perdure.records.files import write_text
    from perdure.records.place import readable
    from perdure.report.pages.page import render

    kind = next((one for one in KINDS if (folder / f"{one}.json").exists()), None)
    if kind is None:
        raise RunFolderError(f"{folder} holds no finished audit", "run the command with this folder as --out first")
    record = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
    with np.load(readable(folder / f"{kind}.npz"), allow_pickle=False) as arrays:
        write_text(folder / "report.html", render(_page(kind, record, dict(arrays))))
    return folder / "report.html"


def _page(kind: str, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Page:
    if kind == "audit":
        from perdure.report.pages.audit import build_audit_page, read_audit

        return build_audit_page(read_audit(record, arrays))
    if kind == "reproduce":
        from perdure.report.pages.reproduction import build_reproduction_page, read_reproduction

        return build_reproduction_page(read_reproduction(record, arrays))
    from perdure.report.pages.paths import build_paths_page, read_paths

    return build_paths_page(read_paths(record, arrays))
