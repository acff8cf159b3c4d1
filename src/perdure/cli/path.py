"""`perdure path`: paths between two trained runs, with loss and explanations along them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import print_json, print_line, print_table, show_status
from perdure.cli.folder import keep_plan, name_folder
from perdure.cli.options import (
    BATCH_SIZE,
    DEVICE,
    ENGINE,
    FACTORY,
    JSON,
    METHOD,
    OUT,
    OUTPUTS,
    RAY_ADDRESS,
    SEED,
    WORKERS,
)
from perdure.core.errors import SettingError
from perdure.records.place import place

if TYPE_CHECKING:
    from perdure.audit.path import MeasuredPath, PathReport
    from perdure.core.estimate import Estimate

__all__ = ["path"]

RUN = Annotated[
    Path,
    typer.Argument(
        parser=place,
        metavar="FOLDER",
        help="The folder or URL of a trained run, such as 'perdure train' writes for each seed.",
    ),
]


def path(
    context: typer.Context,
    first: RUN,
    second: RUN,
    data: Annotated[
        str | None, typer.Argument(help="Data of both runs; by default that of the training of the first run.")
    ] = None,
    kind: Annotated[
        list[str], typer.Option(help="linear, valley, bezier, polychain, band or published; repeatable.")
    ] = ["linear", "bezier", "valley"],  # noqa: B006
    allowed: Annotated[
        float | None, typer.Option(help="Maximum rise of the loss of a tracked path, in nats; by default as needed.")
    ] = None,
    align: Annotated[bool, typer.Option(help="Match the units of both runs first, where that is supported.")] = True,
    method: METHOD = [],  # noqa: B006
    points: Annotated[int, typer.Option(help="Number of evaluated points of each path, at equal arc length.")] = 13,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes for each tracked path; run again with more to continue.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Maximum number of test samples to explain.")] = 128,
    factory: FACTORY = "",
    outputs: OUTPUTS = None,
    seed: SEED = 0,
    engine: ENGINE = "local",
    workers: WORKERS = 1,
    ray_address: RAY_ADDRESS = None,
    device: DEVICE = "cpu",
    batch_size: BATCH_SIZE = None,  # noqa: ARG001 - in effect by its callback
    out: OUT = None,
    as_json: JSON = False,
) -> None:
    """Find paths between two trained runs, and measure loss and explanations along them.

    The loss is that of the training samples; accuracy and explanations are those of test samples. --seed is also the
    seed of DATA where it is named. The same command resumes an interrupted run.
    """
    import math
    from dataclasses import asdict

    from perdure.audit.path import choose_path_methods, run_paths
    from perdure.cli.inputs import load_data, make_engine
    from perdure.cli.models import make_factory, read_with_model
    from perdure.cli.pages import record_and_page
    from perdure.core.registry import METHODS
    from perdure.data._digest import digest_splits
    from perdure.landscape.ends import check_recorded_data, find_recorded_data, load_ends
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import hold_run
    from perdure.report.pages.write import write_page
    from perdure.stability.path_record import PathSettings
    from perdure.stability.paths import PathBudget
    from perdure.training.checkpoint import load_checkpoint

    for name in method:
        METHODS.make(name)
    pool = make_engine(engine, workers, ray_address)
    recorded = find_recorded_data(first) if data is None else (data, seed)
    if recorded is None:
        raise SettingError(f"there is no record of the training data of {first}", "name the data after both runs")
    config = make_factory(factory, outputs)
    loaded = load_data(*recorded)
    digest = digest_splits(loaded)
    check_recorded_data((first, second), recorded, digest)
    splits = read_with_model(load_checkpoint(first, config)[0], loaded)
    ends = load_ends(first, second, splits, config)
    ends.model.to(device)  # the weights at both ends stay on the CPU
    methods = tuple(method) or choose_path_methods(ends.model, splits.train)
    settings = PathSettings(tuple(kind), methods, allowed, align, points, samples, seed=seed)
    folder = out or name_folder(context, f"path-{first}-{second}-{seed}", "first", "second", "seed")
    ends_of = {
        "ends": ends.names,
        "digests": ends.digests,
        "data": recorded[0],
        "data_digest": digest,
        "data_seed": recorded[1],
    }
    run = context.with_resource(hold_run(folder, {**ends_of, **asdict(settings), "device": device}))
    keep_plan(context, folder, ExpectedFiles("paths", "paths/*/along.json", len(kind)), *record_and_page("path"))
    seconds = math.inf if minutes is None else 60 * minutes
    with show_status("checking both ends") as show:
        report = run_paths(ends, splits, settings, run, PathBudget(seconds, show, pool))
    page = write_page(folder, report)
    if as_json:
        print_json({**report.to_dict(), "page": str(page)})
    else:
        _print(report, page)


def _print(report: PathReport, page: Path) -> None:
    method = report.methods[0]
    alike = {kind: number for kind, name, number in report.agreements if name == method and number.name == "Spearman"}
    rows = [(*_format_costs(kind), _format_agreement(alike.get(kind.name)), kind.ended) for kind in report.kinds]
    columns = ("path", "barrier", "straight", "noise", "seconds", "passes", f"Spearman of {method}", "ended")
    print_table(f"{report.title} · {report.subtitle}", columns, rows)
    if report.aligned:
        before, after = report.aligned
        print_line(f"\nunits matched: distance {before:.2f}, then {after:.2f}")
    for line in (report.remark, report.answer, f"page: {page}"):
        if line:
            print_line(f"\n{line}")


def _format_costs(kind: MeasuredPath) -> tuple[str, ...]:
    losses = (f"{value:.4f}" for value in (kind.barrier.value, kind.barrier.null, kind.noise))
    return (kind.name, *losses, "" if kind.seconds is None else f"{kind.seconds:.1f}", f"{kind.passes:.0f}")


def _format_agreement(number: Estimate | None) -> str:
    """Format the mean agreement with the first end along the path, with that of chance."""
    return "" if number is None else f"{number.value:.3f} (chance {number.null:.3f})"
