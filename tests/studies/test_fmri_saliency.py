"""The study on simulated scans and on files, and that removal takes what a map shows."""

import csv
import math

import numpy as np
import pytest
import torch

from perdure.core.batch import Batch
from perdure.studies import fmri_saliency
from perdure.studies._table import Cell, run_study
from perdure.studies.fmri_saliency import ATTENTION, BOTH, FRACTIONS, LSTM, FMRISaliency, mark_delayed
from tests.data.fmri_files import write_numbered

CELL = Cell("a", BOTH, 0)


def table(folder):
    with (folder / "table.csv").open() as file:
        return list(csv.DictReader(file))


def test_simulated_scans_in_the_smoke_size(tmp_path):
    run_study(FMRISaliency(seeds=1, smoke=True), tmp_path)
    rows = table(tmp_path)
    assert all(math.isfinite(float(row[key])) for row in rows for key in ("value", "null", "ceiling"))
    assert {row["metric"] for row in rows if row["model"] == LSTM} == {
        *("accuracy", "auroc", "auprc", "vanishing", "on_task"),
        *(f"accuracy without top {fraction}%" for fraction in (0, 10, 20, 30, 40, 50)),
    }
    curves = [(row["model"], row["method"]) for row in rows if row["metric"] == "accuracy without top 50%"]
    assert curves == [(LSTM, "saliency"), (ATTENTION, "saliency"), (LSTM, f"saliency of {ATTENTION}")]
    figures = {path.stem for path in tmp_path.glob("*.png")}
    assert figures == {"accuracy", "auroc", "auprc", "vanishing", "on_task", "removal", "regions"}


def test_files_have_no_truth_and_no_ceiling_of_the_removal(tmp_path):
    study = FMRISaliency(path=str(write_numbered(tmp_path)), seeds=1, smoke=True)
    result = study.work(study.cells()[0])
    assert {row.dataset for row in result.rows} == {"hcp_task"}
    assert {row.metric for row in result.rows if "top" not in row.metric} == {"accuracy", "vanishing", "on_task"}
    assert {row.ceiling for row in result.rows if "top" in row.metric} == {None}
    assert {name: subset.shape for name, subset in result.arrays.items()} == {LSTM: (3, 360), ATTENTION: (3, 360)}
    figures = study.draw_figures([row for row in result.rows if "top" in row.metric], {CELL: result.arrays})
    assert figures.keys() == {"removal", "regions"}


class Reader(torch.nn.Module):
    """Predicts class 1 where feature 0 of step 0 is positive."""

    def forward(self, x):
        return torch.stack([-x[:, 0, 0], x[:, 0, 0]], 1)


def test_removal_by_a_right_map_costs_the_accuracy_and_by_a_wrong_one_nothing():
    x = torch.ones(6, 4, 5)
    x[::2] = -1
    test = Batch(x, torch.tensor([0, 1] * 3), truth=torch.zeros_like(x, dtype=torch.bool))
    right = torch.zeros_like(x)
    right[:, 0, 0] = 1
    networks = dict.fromkeys((LSTM, ATTENTION), Reader())
    curves = {
        curve: fmri_saliency._removal(networks, {LSTM: right, ATTENTION: -right}, curve, test, CELL)
        for curve in fmri_saliency.CURVES
    }
    assert [row.value for row in curves[LSTM, LSTM]] == [1.0] + [0.5] * (len(FRACTIONS) - 1)  # a tie predicts class 0
    assert [row.value for row in curves[LSTM, ATTENTION]] == [1.0] * len(FRACTIONS)
    assert curves[LSTM, LSTM][0].null == 1.0


def test_the_share_on_task_lies_between_what_there_is_and_one():
    event = torch.full((2, 40), -1)
    event[:, 10:20] = 0
    batch = Batch(torch.zeros(2, 40, 3), torch.tensor([0, 1]), event=event)
    on = mark_delayed(event, 8)
    assert on.nonzero()[:, 1].unique().tolist() == list(range(18, 28))
    row = fmri_saliency._on_task(on[..., None].expand(2, 40, 3).float(), batch, CELL)
    assert (row.value, row.null, row.ceiling) == (1.0, pytest.approx(0.25), 1.0)


def test_thirds_of_an_even_map_are_one():
    thirds = fmri_saliency._thirds(torch.full((2, 10, 4), 0.3))
    np.testing.assert_allclose(thirds, np.ones((3, 4)))
