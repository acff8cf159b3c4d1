"""`perdure report`: render the page of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.audit import write_page as audit_page
from perdure.cli.console import print_json, say
from perdure.cli.path import write_page as paths_page
from perdure.cli.reproduce import write_page as reproduction_page
from perdure.cli.sources import JSON
from perdure.core.errors import RunFolderError

__all__ = ["report"]

PAGES = {"audit.json": audit_page, "reproduce.json": reproduction_page, "path.json": paths_page}
"""What writes the page of a run, by the record that its folder holds."""


def report(
    run: Annotated[Path, typer.Argument(help="The folder of an audit, or of 'perdure reproduce' or 'perdure path'.")],
    as_json: JSON = False,
) -> None:
    """Render the page of a run again from what its run folder holds; nothing is computed anew."""
    from perdure.records.run import read_run

    read_run(run)
    found = [write for name, write in PAGES.items() if (run / name).exists()]
    if not found:
        raise RunFolderError(f"{run} holds no finished audit", "run 'perdure audit' with this folder as --out first")
    page = found[0](run)
    if as_json:
        print_json({"page": str(page)})
    else:
        say(f"page: {page}")
