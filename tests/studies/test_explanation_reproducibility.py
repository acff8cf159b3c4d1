"""Runs whose agreement, barriers and ways are made up: the rows must find what was planted, and the words follow."""

import math
import re

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.stability.agreement import RunExplanations
from perdure.stability.vectors import Vectors
from perdure.studies._conclusion import write_conclusion
from perdure.studies._paths import INNER, KINDS, read_run_explanations, to_arrays
from perdure.studies._retrained import RetrainedModel, compare_runs
from perdure.studies._table import Cell, Row
from perdure.studies.explanation_reproducibility import ExplanationReproducibility

RUNS, SAMPLES, TYPES = 8, 40, 6
METHODS = ("attention", "gradient")


def plant():
    """Attention is shared by all runs, gradients turn from run to run; along a path, statements are about its start."""
    draw = torch.Generator().manual_seed(0)
    present = torch.ones(SAMPLES, TYPES, dtype=torch.bool)
    predicted = torch.arange(SAMPLES) % 2
    shared = torch.rand(SAMPLES, TYPES, generator=draw)
    place = torch.arange(RUNS) / RUNS
    first, other = torch.randn(2, SAMPLES, TYPES, generator=draw)

    def points(values):
        noisy = [values + 0.01 * torch.rand(values.shape, generator=draw) for _ in range(2 + INNER * len(KINDS))]
        return [RunExplanations(Vectors(value, present), predicted) for value in noisy]

    reported = {
        "attention": [points(shared) for _ in range(RUNS)],
        "gradient": [points((1 - t) * first + t * other) for t in place],
    }
    heights = {"linear": (place[:, None] - place).abs().double().fill_diagonal_(torch.nan)}
    return RetrainedModel("planted", "attention", tuple(range(RUNS)), reported, predicted, heights)


@pytest.fixture(scope="module")
def rows():
    return compare_runs(plant())


def value_of(rows, method, metric):
    (row,) = [row for row in rows if (row.method, row.metric, row.seed) == (method, metric, "all")]
    return row


def test_what_runs_have_in_common_is_more_reproducible(rows):
    row = value_of(rows, "gradient", "Spearman from null to ceiling, more than attention")
    assert row.high < 0
    assert row.value == pytest.approx(
        sum(
            sign * (result.value - result.null) / (result.ceiling - result.null)
            for sign, result in (
                (1, value_of(rows, "gradient", "Spearman")),
                (-1, value_of(rows, "attention", "Spearman")),
            )
        )
    )


def test_agreement_that_falls_with_the_barrier_is_found_and_reported(rows):
    row = value_of(rows, "gradient", "correlation of Spearman with barrier, linear")
    assert row.value < -0.9
    assert row.high < -0.5
    text = write_conclusion(rows, METHODS)
    assert "- attention, linear: agreement falls with the barrier: gradient -" in text
    for measure in ("Spearman", "top-3 Jaccard"):
        assert re.search(rf"- attention, {measure}: attention .*; less reproducible: gradient 0\.", text)


def test_barriers_are_reported_by_median_and_maximum():
    kind = {"kind": "barrier", "comparison": "bezier"}
    rows = [Row("d", "m", "", "", str(k), height, 0.2, 0.0, **kind) for k, height in enumerate((0.1, 0.02, 0.3))]
    assert "- m, bezier: median 0.1 nats, at most 0.3, of 3 pairs." in write_conclusion(rows, METHODS)


def test_paths_with_equal_values_do_not_differ_significantly(rows):
    for kind in KINDS[1:]:
        row = value_of(rows, "attention", f"Spearman with the first end, {kind} more than linear")
        assert row.low < 0 < row.high or abs(row.value) < 0.01
    assert "the order of the methods is the same along all kinds: gradient, attention" in write_conclusion(
        rows, METHODS
    )


def test_every_remedy_has_a_row(rows):
    result = {row.metric for row in rows if row.method == "gradient" and row.metric.startswith("remedy: ")}
    means = {"one run", "mean of 2 runs", "mean of 4 runs"}
    assert result == {
        f"remedy: {name}" for name in means | {"averaged weights of 2 runs", "mean along a curve of 2 runs"}
    }


def test_every_row_has_null_and_ceiling(rows):
    assert all(math.isfinite(end) for row in rows for end in (row.value, row.null, row.ceiling))


def test_a_difference_is_reported_only_with_its_interval():
    base = [Row("d", "m", method, "Spearman", "all", 0.5, 0.0, 1.0) for method in METHODS]
    for low, high, word in ((0.1, 0.3, "more reproducible"), (-0.1, 0.3, "not significantly different")):
        kind = {"kind": "method difference", "comparison": "Spearman"}
        row = Row("d", "m", "gradient", "difference", "all", 0.1, 0.0, 1.0, low, high, **kind)
        text = write_conclusion([*base, row], METHODS)
        assert f"{word}: gradient 0.50, +0.10 ({low:+.2f} to {high:+.2f})" in text


def test_statements_are_read_as_they_were_stored():
    points = plant().explanations["gradient"][0]
    again = [
        RunExplanations(run.vectors, run.predicted, run.vectors if k in (0, 10) else None)
        for k, run in enumerate(points)
    ]
    read = read_run_explanations(to_arrays({"gradient": again}), "gradient")
    assert len(read) == len(points)
    for first, other in zip(read, again, strict=True):
        assert torch.equal(first.vectors.values, other.vectors.values)
        assert torch.equal(first.predicted, other.predicted)
        assert (first.again is None) == (other.again is None)


def test_the_cells_are_runs_and_the_last_is_followed_by_the_first():
    study = ExplanationReproducibility(seeds=4, first_seed=3, models=("attention",))
    assert study.cells() == [Cell("planted_events", "attention", seed) for seed in (3, 4, 5, 6)]
    with pytest.raises(SettingError, match="3 runs of each model"):
        ExplanationReproducibility(seeds=3)


def test_models_of_series_with_other_features_learn_how_many_are_types():
    small = "event_texts:source='planted_text:train=60,validation=10,test=10',types=clusters,most=5"
    study = ExplanationReproducibility(data=small)
    assert study._config("hierarchical").types == 5
    assert ExplanationReproducibility(smoke=True)._config("hierarchical").types == 0
