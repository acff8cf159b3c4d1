"""`perdure report`: render the page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.console import print_json, print_line
from perdure.cli.options import JSON
from perdure.records.place import place

__all__ = ["report"]


def report(
    run: Annotated[
        Path,
        typer.Argument(
            parser=place,
            metavar="FOLDER",
            help="The folder or URL of 'perdure audit', 'reproduce', 'path', 'explain' or 'train'.",
        ),
    ],
    as_json: JSON = False,
) -> None:
    """Render the page of a run from what its folder contains; no model is run."""
    from perdure.cli.pages import check_has_page
    from perdure.report.pages.write import write_page

    check_has_page(run)
    page = write_page(run)
    if as_json:
        print_json({"page": str(page)})
    else:
        print_line(f"page: {page}")
