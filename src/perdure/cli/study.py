"""`perdure study`: repeat an experiment and write its table and figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from perdure.cli.console import bar, print_json, print_table, say
from perdure.cli.engine import ENGINE, RAY_ADDRESS, WORKERS, chosen_engine
from perdure.cli.folder import default_folder
from perdure.cli.plan import keep_plan
from perdure.cli.sources import JSON, OUT

__all__ = ["study"]


def study(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name from 'perdure list studies', with settings.")],
    seeds: Annotated[
        int | None, typer.Option(help="Training runs for each cell; the study's own number otherwise.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="A size that runs in seconds.")] = False,
    engine: ENGINE = "local",
    workers: WORKERS = 2,
    ray_address: RAY_ADDRESS = None,
    out: OUT = None,
    as_json: JSON = False,
) -> None:
    """Repeat an experiment: a table of average_runs over seeds between null and ceiling, and figures.

    The same command goes on where it was interrupted.
    """
    from perdure.core.registry import STUDIES
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import open_run
    from perdure.studies._table import CONCLUSION, average_runs, run_study

    shared = chosen_engine(engine, workers, ray_address)
    given = (
        {"smoke": smoke} | ({} if seeds is None else {"seeds": seeds}) | ({"seeds": 1} if smoke and not seeds else {})
    )
    what = STUDIES.make(name, given)
    folder = out or default_folder(context, name + ("-smoke" if smoke else ""), "name", "smoke")
    open_run(folder, {"study": name.partition(":")[0], **asdict(what)})
    cells = ExpectedFiles("cells", "cells/part-*.parquet", len(what.cells()))
    keep_plan(context, folder, cells, ExpectedFiles("table", "table.csv"))
    with bar(f"study {name}") as progress:
        rows = run_study(what, folder, shared, progress)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    columns = ("dataset", "model", "method", "metric", "runs", "mean", "null", "ceiling", "paper")
    print_table(name, columns, average_runs(rows))
    if (folder / CONCLUSION).exists():
        say(f"\n{(folder / CONCLUSION).read_text(encoding='utf-8')}")
    say(f"\ntable: {folder / 'table.csv'}\nfigures: {folder}")
