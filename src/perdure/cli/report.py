"""`perdure report`: render the page of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.audit import write_page
from perdure.cli.console import print_json, say
from perdure.cli.sources import JSON
from perdure.core.errors import RunFolderError

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    as_json: JSON = False,
) -> None:
    """Render the page of an audit again from what its run folder holds; nothing is computed anew."""
    from perdure.records.run import read_run

    read_run(run)
    if not (run / "audit.json").exists():
        raise RunFolderError(f"{run} holds no finished audit", "run 'perdure audit' with this folder as --out first")
    page = write_page(run)
    if as_json:
        print_json({"page": str(page)})
    else:
        say(f"page: {page}")
