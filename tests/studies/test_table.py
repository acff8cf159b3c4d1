import csv
from dataclasses import dataclass

import numpy as np

from perdure.studies._figures import compute_seed_interval
from perdure.studies._table import Cell, CellResult, Row, run_study
from perdure.studies.box_saliency import ISMAIL_2019_TABLE_1, list_ismail_2019

CALLS = []


@dataclass(frozen=True)
class Counting:
    """Count its calls."""

    def cells(self):
        return [Cell("a", "m", 0), Cell("b", "m", 0)]

    def work(self, cell):
        CALLS.append(cell)
        row = Row(cell.dataset, cell.model, "", "accuracy", "0", 0.75, 0.5, None)
        return CellResult([row], {"map": np.ones(3)})

    def list_published(self):
        return [Row("a", "m", "", "accuracy", "paper", 0.8)]

    def draw_figures(self, rows, arrays):
        return {"size": str(sum(subset["map"].size for subset in arrays.values())).encode()}


def test_a_study_writes_its_table_and_figures_and_works_no_cell_twice(tmp_path):
    CALLS.clear()
    first = run_study(Counting(), tmp_path)
    assert run_study(Counting(), tmp_path) == first
    assert len(CALLS) == 2
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "study",
        "dataset",
        "model",
        "method",
        "metric",
        "seed",
        "value",
        "null",
        "ceiling",
        "low",
        "high",
        "kind",
        "comparison",
    ]
    assert [(row["study"], row["dataset"], row["seed"], row["value"]) for row in rows] == [
        ("counting", "a", "0", "0.75"),
        ("counting", "b", "0", "0.75"),
        ("counting", "a", "paper", "0.8"),
    ]
    assert (tmp_path / "size.png").read_text() == "6"


@dataclass(frozen=True)
class Joining(Counting):
    """Compare its cells."""

    def compare_cells(self, arrays):
        return [Row("a", "m", "", "cells", "all", float(len(arrays)), 0.0, 2.0, 1.5, 2.5)]

    def write_conclusion(self, rows):
        return f"{len(rows)} rows"


def test_a_study_that_joins_its_cells_adds_rows_and_words(tmp_path):
    rows = run_study(Joining(), tmp_path)
    assert [row.metric for row in rows] == ["accuracy", "accuracy", "cells", "accuracy"]
    assert (rows[2].value, rows[2].low, rows[2].high) == (2.0, 1.5, 2.5)
    assert (tmp_path / "conclusion.md").read_text() == "4 rows"
    run_study(Counting(), tmp_path / "plain")
    assert not (tmp_path / "plain" / "conclusion.md").exists()


def test_the_published_table_is_whole():
    rows = list_ismail_2019()
    assert len(rows) == 4 * 6 * 3
    (best,) = [
        r for r in rows if (r.dataset, r.model, r.metric) == ("middle", "lstm_input_cell_attention", "euclidean")
    ]
    assert best.value == 0.891
    assert {len(numbers) for numbers in ISMAIL_2019_TABLE_1.values()} == {6}


def test_the_interval_of_one_run_is_its_value():
    assert compute_seed_interval([0.5]) == (0.5, 0.5, 0.5)
