"""`perdure study`: repeat an experiment and write its table and figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from perdure.cli.console import print_json, print_line, print_table, show_progress
from perdure.cli.folder import keep_plan, name_folder
from perdure.cli.options import ENGINE, JSON, OUT, RAY_ADDRESS, WORKERS

__all__ = ["study"]


def study(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name from 'perdure list studies', with settings.")],
    seeds: Annotated[
        int | None, typer.Option(help="Training runs for each cell; by default those of the study.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="A size that runs in seconds.")] = False,
    engine: ENGINE = "local",
    workers: WORKERS = 2,
    ray_address: RAY_ADDRESS = None,
    out: OUT = None,
    as_json: JSON = False,
) -> None:
    """Repeat an experiment: a table of means over seeds between null and ceiling, and figures.

    The same command resumes an interrupted run.
    """
    from perdure.cli.inputs import digest_files, make_engine
    from perdure.core.registry import STUDIES
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import hold_run
    from perdure.studies._table import CONCLUSION, average_runs, run_study

    pool = make_engine(engine, workers, ray_address)
    settings = (
        {"smoke": smoke} | ({} if seeds is None else {"seeds": seeds}) | ({"seeds": 1} if smoke and not seeds else {})
    )
    experiment = STUDIES.make(name, settings)
    folder = out or name_folder(context, name + ("-smoke" if smoke else ""), "name", "smoke")
    context.with_resource(
        hold_run(folder, {"study": name.partition(":")[0], **asdict(experiment), **digest_files(experiment)})
    )
    cells = ExpectedFiles("cells", "cells/part-*.parquet", len(experiment.cells()))
    keep_plan(context, folder, cells, ExpectedFiles("table", "table.csv"))
    with show_progress(f"study {name}") as progress:
        rows = run_study(experiment, folder, pool, progress)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    columns = ("dataset", "model", "method", "metric", "runs", "mean", "null", "ceiling", "paper")
    print_table(name, columns, average_runs(rows))
    if (folder / CONCLUSION).exists():
        print_line(f"\n{(folder / CONCLUSION).read_text(encoding='utf-8')}")
    print_line(f"\ntable: {folder / 'table.csv'}\nfigures: {folder}")
