"""`perdure path`: ways between two trained runs, and what happens to loss and explanations along them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import busy, print_json, print_table, say
from perdure.cli.engine import BATCH_SIZE, DEVICE, ENGINE, RAY_ADDRESS, WORKERS, chosen_engine
from perdure.cli.folder import default_folder
from perdure.cli.models import factory_of
from perdure.cli.pages import record_and_page
from perdure.cli.plan import keep_plan
from perdure.cli.sources import FACTORY, JSON, METHOD, OUT, OUTPUTS, SEED, load_data, read_as
from perdure.core.errors import SettingError

if TYPE_CHECKING:
    from perdure.audit.path import MeasuredPath, PathReport
    from perdure.core.estimate import Estimate

__all__ = ["path"]

RUN = Annotated[Path, typer.Argument(help="The folder of a trained run, such as 'perdure train' writes for each seed.")]


def path(
    context: typer.Context,
    first: RUN,
    second: RUN,
    data: Annotated[
        str | None, typer.Argument(help="The data of both; left out, that which the first run was trained on.")
    ] = None,
    kind: Annotated[
        list[str], typer.Option(help="linear, valley, bezier, polychain, band or published; repeatable.")
    ] = ["linear", "bezier", "valley"],  # noqa: B006
    allowed: Annotated[
        float | None, typer.Option(help="The most that the loss of a tracked path may rise, in nats; else as needed.")
    ] = None,
    align: Annotated[bool, typer.Option(help="Match the units of both runs first, where that is known to do.")] = True,
    method: METHOD = [],  # noqa: B006
    points: Annotated[int, typer.Option(help="Points of each path to look at, at equal arc length.")] = 13,
    minutes: Annotated[
        float | None, typer.Option(help="For each tracked path; run again with more of them to go on.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Test samples to explain, at most.")] = 128,
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
    """Lay paths between two trained runs, and see whether loss and explanations stay the same along them.

    Loss is that of the training samples; accuracy and explanations are those of test samples. --seed is also that of
    DATA where it is named. The same command goes on where it was interrupted.
    """
    import math
    from dataclasses import asdict

    from perdure.audit.path import choose_path_methods, run_paths
    from perdure.core.registry import METHODS
    from perdure.landscape.ends import find_recorded_data, load_ends
    from perdure.records.plan import ExpectedFiles
    from perdure.records.run import open_run
    from perdure.report.pages.write import write_page
    from perdure.stability.path_record import PathSettings
    from perdure.stability.paths import PathBudget
    from perdure.training.checkpoint import load_checkpoint

    for name in method:
        METHODS.make(name)
    shared = chosen_engine(engine, workers, ray_address)
    found = find_recorded_data(first) if data is None else (data, seed)
    if found is None:
        raise SettingError(f"there is no record of what {first} was trained on", "name the data behind both runs")
    config = factory_of(factory, outputs)
    splits = read_as(load_checkpoint(first, config)[0], load_data(*found))
    ends = load_ends(first, second, splits, config)
    ends.model.to(device)  # the weights between which paths are laid stay on the CPU
    methods = tuple(method) or choose_path_methods(ends.model, splits.train)
    settings = PathSettings(tuple(kind), methods, allowed, align, points, samples, seed=seed)
    folder = out or default_folder(context, f"path-{first}-{second}-{seed}", "first", "second", "seed")
    ends_of = {"ends": ends.names, "digests": ends.digests, "data": found[0], "data_seed": found[1]}
    run = open_run(folder, {**ends_of, **asdict(settings), "device": device})
    keep_plan(context, folder, ExpectedFiles("paths", "paths/*/along.json", len(kind)), *record_and_page("path"))
    seconds = math.inf if minutes is None else 60 * minutes
    with busy("checking both ends") as tell:
        report = run_paths(ends, splits, settings, run, PathBudget(seconds, tell, shared))
    page = write_page(folder, report)
    if as_json:
        print_json({**report.to_dict(), "page": str(page)})
    else:
        _print(report, page)


def _print(report: PathReport, page: Path) -> None:
    method = report.methods[0]
    alike = {kind: number for kind, name, number in report.agreements if name == method and number.name == "Spearman"}
    rows = [(*_costs(kind), _agreement(alike.get(kind.name)), kind.ended) for kind in report.kinds]
    columns = ("path", "barrier", "straight", "noise", "seconds", "passes", f"Spearman of {method}", "ended")
    print_table(f"{report.title} · {report.subtitle}", columns, rows)
    if report.aligned:
        before, after = report.aligned
        say(f"\nunits matched: distance {before:.2f}, then {after:.2f}")
    for line in (report.remark, report.answer, f"page: {page}"):
        if line:
            say(f"\n{line}")


def _costs(kind: MeasuredPath) -> tuple[str, ...]:
    losses = (f"{value:.4f}" for value in (kind.barrier.value, kind.barrier.null, kind.noise))
    return (kind.name, *losses, f"{kind.seconds:.1f}", f"{kind.passes:.0f}")


def _agreement(number: Estimate | None) -> str:
    """Write the mean agreement with the first end along the path, with that of chance."""
    return "" if number is None else f"{number.value:.3f} (chance {number.null:.3f})"
