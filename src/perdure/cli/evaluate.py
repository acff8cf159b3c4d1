"""`perdure evaluate`: judge the maps of an explaining run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.console import bar, print_json, print_table, say
from perdure.cli.sources import JSON, METRIC, load_batch, load_data, load_model, other_samples
from perdure.core.errors import RunFolderError

if TYPE_CHECKING:
    from perdure.core.verdict import Number

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[Path, typer.Argument(help="The folder of 'perdure explain'.")],
    metric: METRIC = [],  # noqa: B006
    workers: Annotated[int, typer.Option(help="Processes that share the parts; the scores do not depend on it.")] = 1,
    as_json: JSON = False,
) -> None:
    """Judge stored maps; every score comes with its null and its ceiling.

    Without --metric: vanishing, and the metrics with truth where the data has one.
    """
    from perdure.core.registry import METHODS, METRICS, folder_name, name_of
    from perdure.engine.fitted import prepared
    from perdure.engine.judge import Judging, default_metrics, judge
    from perdure.engine.summaries import score_numbers, stored_scores
    from perdure.records.run import read_run
    from perdure.records.scores import Case

    asked = read_run(run).config
    if "method" not in asked:
        raise RunFolderError(f"{run} holds no explanations", "give the folder that 'perdure explain' wrote")
    model = load_model(Path(asked["model"]), asked["weights"])
    splits = load_data(asked["data"], asked["seed"])
    batch = load_batch(splits, asked["split"], asked["limit"])
    method = prepared(METHODS.make(asked["method"]), model, other_samples(splits, asked["split"]))
    judges = [METRICS.make(name) for name in metric or default_metrics(batch)]
    case = Case("evaluate", asked["data"], asked["model"], asked["method"], asked["seed"])
    numbers: dict[str, Number] = {}
    for made, name in zip(judges, metric or default_metrics(batch), strict=True):
        scores = run / "scores" / folder_name(name)
        with bar(f"judging by {name_of(made)}") as progress:
            judge(Judging(model, batch, run / "maps", (made,), scores, case, method), workers, progress)
        numbers |= score_numbers(stored_scores(scores), asked["seed"])
    if as_json:
        print_json({name: asdict(number) for name, number in numbers.items()})
        return
    cells = [(n.name, *(f"{x:.4f}" for x in (n.value, n.low, n.high, n.null, n.ceiling))) for n in numbers.values()]
    print_table(f"{asked['method']} on {asked['data']}", ("metric", "value", "low", "high", "null", "ceiling"), cells)
    say(f"\nscores: {run / 'scores'}")
