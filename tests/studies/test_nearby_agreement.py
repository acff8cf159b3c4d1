"""Agreement near a checkpoint against that of retrained networks: planted relations must be found."""

import numpy as np
import pytest

from perdure.core.errors import SettingError
from perdure.studies._calibration import (
    RETRAINED,
    collect_points,
    compare_with_retrained,
    correlate,
    describe,
)
from perdure.studies._calibration_tasks import TASKS
from perdure.studies._table import Cell
from perdure.studies.nearby_agreement import NearbyAgreement

METHODS = ("gradient", "occlusion")
CELLS = [Cell(*name, 0) for name in TASKS]


def plant(**kinds):
    """Give each kind a function of the agreement of retrained networks, on a scale from 0.1 to 0.9."""
    draw = np.random.default_rng(0)
    arrays = {}
    for cell in CELLS:
        arrays[cell] = {}
        for method in METHODS:
            true = draw.uniform()
            for name, nearby in {RETRAINED: lambda value: value, **kinds}.items():
                arrays[cell][f"{name}/{method}"] = np.array([0.1 + 0.8 * nearby(true), 0.1, 0.9])
    return arrays


def value_of(rows, part, metric):
    (row,) = [row for row in rows if (row.dataset, row.metric) == (part, metric)]
    return row


def test_points_are_rescaled_to_null_and_ceiling():
    points = collect_points(plant(noise=np.sqrt), "noise")
    assert len(points) == len(CELLS) * len(METHODS)
    assert all(point.nearby == pytest.approx(point.retrained**0.5) for point in points)


def test_a_monotone_relation_has_rank_correlation_one_and_its_slope():
    rows = compare_with_retrained(plant(short_retraining=lambda value: 0.5 + value / 2))
    for part in ("development", "held-out", "all tasks"):
        correlation = value_of(rows, part, "rank correlation, short_retraining")
        assert (correlation.value, correlation.low, correlation.high) == (1.0, 1.0, 1.0)
        assert value_of(rows, part, "slope, short_retraining").value == pytest.approx(2.0)
    bias = value_of(rows, "all tasks", "bias, short_retraining").value
    assert 0.15 < bias < 0.35
    assert "Neighbours by short retraining reach" in describe(rows)


def test_an_unrelated_kind_is_not_usable():
    draw = np.random.default_rng(1)
    rows = compare_with_retrained(plant(noise=lambda _: draw.uniform()))
    correlation = value_of(rows, "all tasks", "rank correlation, noise")
    assert abs(correlation.value) < 0.5
    assert correlation.high < 0.8
    assert "No kind of neighbours reaches" in describe(rows)


def test_the_pooled_kind_needs_all_its_kinds():
    assert not collect_points(plant(noise=np.sqrt), "pooled")
    same = dict.fromkeys(("noise", "dropout", "fine_tuning"), np.sqrt)
    pooled, noise = (collect_points(plant(**same), kind) for kind in ("pooled", "noise"))
    assert [point.nearby for point in pooled] == pytest.approx([point.nearby for point in noise])


def test_the_interval_draws_tasks_and_not_points():
    arrays = plant(noise=np.sqrt)
    points = collect_points(arrays, "noise")
    first = [point for point in points if point.task == CELLS[0]]
    assert correlate(points[:6]) == (1.0, 1.0, 1.0)
    value, low, high = correlate(first)
    assert (low, high) == (value, value)  # a single task does not vary


def test_a_table_without_enough_points_has_no_correlation():
    assert compare_with_retrained({CELLS[0]: plant(noise=np.sqrt)[CELLS[0]]}) == []


def test_every_part_has_six_tasks_of_several_networks():
    for part in ("development", "held-out"):
        models = [model for (_, model), task in TASKS.items() if task.part == part]
        assert len(models) >= 6
        assert len(set(models)) >= 3


def test_fewer_than_three_runs_are_an_error():
    with pytest.raises(SettingError, match="2 runs"):
        NearbyAgreement(seeds=2)
