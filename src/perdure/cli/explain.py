"""`perdure explain`: maps of a trained model for a whole split, as Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.console import bar, print_json, say
from perdure.cli.sources import DATA, JSON, OUT, SEED, load_batch, load_data, load_model, other_samples

__all__ = ["explain"]


def explain(
    model: Annotated[str, typer.Argument(help="A trained folder, from 'perdure train'.")],
    data: DATA,
    method: Annotated[str, typer.Option(help="A name from 'perdure list methods', with settings.")] = "saliency",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    limit: Annotated[int | None, typer.Option(help="Explain the first samples only.")] = None,
    explained: Annotated[
        str, typer.Option(help="Explain the class of the 'prediction' or of the 'label'.")
    ] = "prediction",
    target: Annotated[
        str, typer.Option(help="Explain its logit, probability, log_probability, log_odds or margin.")
    ] = "logit",
    seed: SEED = 0,
    workers: Annotated[int, typer.Option(help="Processes that share the shards; the maps do not depend on it.")] = 1,
    out: OUT = None,
    as_json: JSON = False,
) -> None:
    """Explain every sample of a split; the maps go to Parquet parts that appear one by one.

    The same command goes on where it was interrupted.
    """
    from perdure.core.check import check_choice
    from perdure.core.digest import model_digest
    from perdure.core.registry import METHODS, folder_name
    from perdure.core.target import LABEL_TARGETS
    from perdure.engine.explain import Explaining
    from perdure.engine.explain import explain as run_explain
    from perdure.engine.fitted import prepared
    from perdure.records.run import open_run

    check_choice("explained", explained, ("prediction", "label"))
    check_choice("target", target, tuple(LABEL_TARGETS))
    trained, made = load_model(Path(model)), METHODS.make(method)
    splits = load_data(data, seed)
    batch = load_batch(splits, split, limit)
    folder = out or Path("runs") / folder_name(f"explain-{model}-{data}-{method}-{split}")
    asked = {"model": model, "data": data, "method": method, "split": split, "limit": limit, "seed": seed}
    open_run(folder, {**asked, "explained": explained, "target": target, "weights": model_digest(trained)})
    maps = folder / "maps"
    fitted = prepared(made, trained, other_samples(splits, split))
    work = Explaining(trained, batch, fitted, maps, model, split, seed, explained, target)  # type: ignore[arg-type]
    with bar("explaining") as progress:
        run_explain(work, workers, progress)
    if as_json:
        print_json({"folder": str(folder), "maps": str(maps), "samples": len(batch)})
    else:
        say(f"{len(batch)} maps: {maps}\njudge them: perdure evaluate {folder}")
