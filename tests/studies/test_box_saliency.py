import csv
from dataclasses import fields

import pytest

from perdure.studies._table import Row, run_study
from perdure.studies.box_saliency import METRICS, MODELS, SETS, BoxSaliency


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    run_study(BoxSaliency(seeds=2, smoke=True), folder)
    return folder


def table(folder):
    with (folder / "table.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_table_has_every_number_once_and_those_of_the_paper(folder):
    rows = table(folder)
    assert list(rows[0]) == ["study", *(field.name for field in fields(Row))]
    assert {row["study"] for row in rows} == {"box_saliency"}
    ours = {(row["dataset"], row["model"], row["metric"], row["seed"]) for row in rows if row["seed"] != "paper"}
    metrics = ("accuracy", *METRICS)
    table_1 = {(name, m, metric, seed) for name in SETS[:2] for m in MODELS for metric in metrics for seed in "01"}
    assert ours == table_1 | {("moving", model, metric, "0") for model in MODELS for metric in metrics}
    assert sum(row["seed"] == "paper" for row in rows) == 3 * len(MODELS) * len(SETS)
    assert len(rows) == len(ours) + 3 * len(MODELS) * len(SETS)


def test_a_second_run_recomputes_nothing(folder, monkeypatch):
    before = (folder / "table.csv").read_bytes()
    monkeypatch.setattr(BoxSaliency, "work", None)
    monkeypatch.setattr(BoxSaliency, "draw_figures", lambda *_: {})
    run_study(BoxSaliency(seeds=2, smoke=True), folder)
    assert (folder / "table.csv").read_bytes() == before


def test_the_cells_that_take_long_come_first():
    cells = BoxSaliency().cells()
    assert [cell.model for cell in cells[:10]] == ["bi_lstm"] * 5 + ["lstm"] * 5
    assert "latter" not in {cell.dataset for cell in cells[:10]}
    assert [cell.dataset for cell in cells[-4:]] == ["moving"] * 4
