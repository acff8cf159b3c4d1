"""Run a study: compute its cells one by one, store them, and build a table and figures."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from perdure.core.spec import name_of
from perdure.engine.pool import Engine, Progress, run_pieces
from perdure.records.documents import from_npz, to_npz
from perdure.records.files import write_bytes, write_text
from perdure.records.parts import finished_parts, read_parts, write_part

__all__ = ["CONCLUSION", "Cell", "CellResult", "ComparesCells", "Row", "Study", "average_runs", "run_study"]

Kind = Literal[
    "value",
    "method difference",
    "barrier",
    "pair",
    "barrier correlation",
    "path",
    "path difference",
    "remedy",
    "cases",
]

SINGLE = "one run"
"""Name of the remedy that averages nothing."""

CONCLUSION = "conclusion.md"
"""File with the conclusion of a study."""


@dataclass(frozen=True)
class Cell:
    """One piece of a study.

    Args:
        dataset: Name of the dataset or of its variant.
        model: Name of the model.
        seed: Seed of data, weights and training.
    """

    dataset: str
    model: str
    seed: int


@dataclass(frozen=True)
class Row:
    """One number of a study.

    Args:
        dataset: Name of the dataset or of its variant.
        model: Name of the model.
        method: Name of the attribution method; empty for numbers of the model.
        metric: Name of the metric.
        seed: Seed of the run; "paper" for a published number, "all" for a number of all runs.
        value: Mean over test samples.
        null: Score of a random map or an uninformed model; None when unknown.
        ceiling: Best possible score; None when unknown.
        low: Lower end of a 95 % interval of the value; None when there is none.
        high: Upper end of the interval.
        kind: Kind of the number: a plain value, or one of the comparisons of retrained models.
        comparison: Object of the comparison: a measure, a kind of path, or a remedy; empty for plain values.
    """

    dataset: str
    model: str
    method: str
    metric: str
    seed: str
    value: float
    null: float | None = None
    ceiling: float | None = None
    low: float | None = None
    high: float | None = None
    kind: Kind = "value"
    comparison: str = ""


@dataclass(frozen=True, eq=False)
class CellResult:
    """Result of a cell: rows of the table and arrays for the figures."""

    rows: Sequence[Row]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


class Study(Protocol):
    """A paper's experiment: cells, the work of a cell, published numbers, and figures."""

    def cells(self) -> Sequence[Cell]:
        """List the pieces, in a fixed order."""
        ...

    def work(self, cell: Cell) -> CellResult:
        """Do one piece."""
        ...

    def list_published(self) -> Sequence[Row]:
        """List the numbers of the paper."""
        ...

    def draw_figures(self, rows: Sequence[Row], arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, bytes]:
        """Draw PNG figures, by name."""
        ...


@runtime_checkable
class ComparesCells(Protocol):
    """A study that compares its cells and draws a conclusion."""

    def compare_cells(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Sequence[Row]:
        """Compare the cells."""
        ...

    def write_conclusion(self, rows: Sequence[Row]) -> str:
        """Describe the results in words."""
        ...


@runtime_checkable
class HasPages(Protocol):
    """A study with HTML pages."""

    def render_pages(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, str]:
        """Render pages as HTML by name."""
        ...


@runtime_checkable
class HasRecords(Protocol):
    """A study whose result is read by programs."""

    def write_records(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, str]:
        """Write records as JSON by name."""
        ...


def run_study(study: Study, folder: Path, workers: int | Engine = 1, progress: Progress | None = None) -> list[Row]:
    """Compute all unfinished cells, then write `table.csv`, figures, conclusion, pages and records.

    Args:
        study: Study to run.
        folder: Folder of the results.
        workers: Number of processes, or an engine; the results do not depend on it.
        progress: Callback after each cell.

    Returns:
        Rows of the cells, of comparisons of cells, and of the paper.
    """
    cells, parts = study.cells(), folder / "cells"
    done = finished_parts(parts)
    todo = [i for i in range(len(cells)) if i not in done or not _has_arrays(folder, i)]
    run_pieces(partial(_work, study, folder), todo, workers, progress)
    arrays = {cell: _arrays(folder, index) for index, cell in enumerate(cells)}
    rows = [Row(**row) for row in read_parts(parts).to_pylist()]
    rows += [*(study.compare_cells(arrays) if isinstance(study, ComparesCells) else ()), *study.list_published()]
    write_text(folder / "table.csv", _csv(name_of(study), rows))
    if isinstance(study, ComparesCells):
        write_text(folder / CONCLUSION, study.write_conclusion(rows))
    for name, png in study.draw_figures(rows, arrays).items():
        write_bytes(folder / f"{name}.png", png)
    if isinstance(study, HasPages):
        for name, html in study.render_pages(arrays).items():
            write_text(folder / f"{name}.html", html)
    if isinstance(study, HasRecords):
        for name, record in study.write_records(arrays).items():
            write_text(folder / f"{name}.json", record)
    return rows


def average_runs(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Average a table over runs, as text for people.

    Args:
        rows: Rows of a study.

    Returns:
        Dataset, model, method, metric, number of runs, mean, null, ceiling and published number, one row for each
        dataset, model, method and metric.

    Example:
        >>> rows = [Row("a", "m", "", "accuracy", str(seed), value, 0.5, 1.0) for seed, value in ((0, 0.8), (1, 0.9))]
        >>> average_runs(rows)
        [('a', 'm', '', 'accuracy', '2', '0.850', '0.500', '1.000', '')]
    """
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.model, row.method, row.metric), []).append(row)
    table = []
    for key, members in groups.items():
        ours = [row for row in members if row.seed != "paper"]
        numbers = [_mean([getattr(row, name) for row in ours]) for name in ("value", "null", "ceiling")]
        table.append((*key, str(len(ours)), *numbers, _mean([row.value for row in members if row.seed == "paper"])))
    return table


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if known else ""


def _work(study: Study, folder: Path, index: int) -> None:
    """Do one cell; its rows come last, so that a cell with rows is whole."""
    result = study.work(study.cells()[index])
    write_bytes(_arrays_path(folder, index), to_npz(result.arrays))
    write_part(folder / "cells", index, pa.Table.from_pylist([asdict(row) for row in result.rows], _SCHEMA))


def _arrays_path(folder: Path, index: int) -> Path:
    return folder / "arrays" / f"cell-{index:05d}.npz"


def _arrays(folder: Path, index: int) -> Mapping[str, np.ndarray]:
    return from_npz(_arrays_path(folder, index).read_bytes())


def _has_arrays(folder: Path, index: int) -> bool:
    """Check that the arrays of a cell are as they were written; warn where they are not."""
    try:
        _arrays(folder, index)
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        warnings.warn(f"{_arrays_path(folder, index)} is damaged, and computed again: {error}", stacklevel=3)
        return False
    return True


def _csv(study: str, rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["study", *(f.name for f in fields(Row))], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"study": study, **asdict(row)} for row in rows)
    return text.getvalue()


_TYPES: Mapping[str, Any] = dict.fromkeys(("value", "null", "ceiling", "low", "high"), pa.float64())
_SCHEMA = pa.schema([(f.name, _TYPES.get(f.name, pa.string())) for f in fields(Row)])
