"""The page of a run of `perdure train`: losses and accuracy of each training over its steps."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perdure.core.errors import RunFolderError, user_code_errors
from perdure.records.documents import from_yaml
from perdure.records.folders import MODEL
from perdure.records.run import RunFolder
from perdure.report.charts.path_curves import Chart, Curve, draw_small_charts
from perdure.report.numbers import format_number
from perdure.report.pages.page import Page, Section
from perdure.report.pieces import Facts, Piece, Prose, Table
from perdure.training.train import HISTORY

__all__ = ["build_training_page", "find_trainings"]

MEASURES: Mapping[str, str] = {
    "loss": "training loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
}
"""Columns of a history, and their names on the page."""

GUIDE = Prose(
    (
        "Each line is one training run, from its first to its last check. The training loss is the mean of the steps "
        "since the check before, with dropout; the others are those of the validation samples. The weights of the best "
        "check are kept.",
    )
)


def find_trainings(folder: Path) -> list[Path]:
    """Find the finished trainings of a run folder.

    Args:
        folder: Run folder of `perdure train`.

    Returns:
        Folders of the trained models, in the order of their names.
    """
    return sorted(path.parent for path in folder.glob(f"*/{MODEL}"))


def build_training_page(run: RunFolder) -> Page:
    """Build the page of trainings.

    Args:
        run: Run folder of `perdure train`, also an unfinished one.

    Returns:
        Page for `render`.

    Raises:
        RunFolderError: When no training is finished, or a file is damaged.
    """
    folders = find_trainings(run.path)
    if not folders:
        raise RunFolderError(f"no training is finished in {run.path}", f"finish it first: perdure status {run.path}")
    remedy = "train again in a new folder"
    with user_code_errors(RunFolderError, f"{run.path} is damaged: its reader", remedy):
        records = {folder.name: dict(from_yaml((folder / MODEL).read_bytes())["extra"]) for folder in folders}
        summary = _summarise(records)
        histories = {folder.name: _read_history(folder / HISTORY) for folder in folders}
    known = {name: history for name, history in histories.items() if len(history.get("step", ())) > 0}
    model = run.config.get("model", {})
    title = str(model.get("name", "")) if isinstance(model, Mapping) else str(model)
    sections = (
        Section("Training curves", _curves(known)),
        Section("Runs", (_list_runs(records),)),
        Section("How to read this page", (GUIDE,)),
        Section("Provenance", (Facts({**run.config, "perdure": run.version, **run.environment}),)),
    )
    return Page(
        title or run.path.name,
        f"{run.config.get('data', '')} · {len(folders)} training run{'' if len(folders) == 1 else 's'}",
        summary,
        tuple(section for section in sections if section.pieces),
    )


def _read_history(path: Path) -> dict[str, np.ndarray]:
    """Read the checks of a run; none where a former version trained it."""
    if not path.exists():
        return {}
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    return {name: np.array([float(row[name]) for row in rows]) for name in ("step", *MEASURES)} if rows else {}


def _curves(histories: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[Piece, ...]:
    if not histories:
        return (Prose(("The folder holds no history of its trainings: an earlier version of perdure wrote it.",)),)
    last = max(float(history["step"].max()) for history in histories.values())
    losses, accuracy = (
        [
            Chart(
                title,
                {name: Curve(history["step"] / last, history[measure]) for name, history in histories.items()},
            )
            for measure, title in MEASURES.items()
            if ("accuracy" in measure) == is_accuracy
        ]
        for is_accuracy in (False, True)
    )
    ends = ("step 0", f"step {last:,.0f}")
    return draw_small_charts(losses, 2, ends), draw_small_charts(accuracy, 2, ends)


def _list_runs(records: Mapping[str, Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for record in records.values() for name in record))
    rows = tuple((run, *(_format(record.get(name)) for name in names)) for run, record in records.items())
    return Table(("run", *(name.replace("_", " ") for name in names)), rows)


def _format(value: Any) -> str:
    return format_number(value) if isinstance(value, float) else "" if value is None else str(value)


def _summarise(records: Mapping[str, Mapping[str, Any]]) -> str:
    values: Sequence[float] = [
        float(record["test_accuracy"]) for record in records.values() if "test_accuracy" in record
    ]
    if not values:
        return ""
    if len(values) == 1:
        return f"The trained model has a test accuracy of {format_number(values[0])}."
    low, high = format_number(min(values)), format_number(max(values))
    mean = format_number(float(np.mean(values)))
    return f"The trained models have a test accuracy of {mean} on average ({low} to {high})."
