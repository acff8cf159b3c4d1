import math

import pytest
import torch
from scipy.stats import spearmanr

from perdure.core.errors import EmptyDataError
from perdure.stability.agreement import RunExplanations
from perdure.stability.consistency import measure_consistency
from perdure.stability.vectors import Vectors

SAMPLES, TYPES = 80, 8
LABEL = torch.zeros(SAMPLES, dtype=torch.int64)
EVERYWHERE = torch.ones(SAMPLES, TYPES, dtype=torch.bool)


def stream():
    return torch.Generator().manual_seed(7)


def runs_of(by_prediction, noise=0.0, count=4):
    """Runs that are right about two sequences of three; explanations follow the sequence, or also the prediction."""
    draw = torch.Generator().manual_seed(0)
    shared = torch.randn(2, SAMPLES, TYPES, generator=draw)
    runs = []
    for _ in range(count):
        predicted = (torch.rand(SAMPLES, generator=draw) < 1 / 3).long()
        values = torch.where(predicted[:, None] == 1, shared[1], shared[0]) if by_prediction else shared[0]
        values = values + noise * torch.randn(SAMPLES, TYPES, generator=draw)
        runs.append(RunExplanations(Vectors(values, EVERYWHERE), predicted))
    return runs


def test_explanations_that_follow_the_prediction_are_consistent():
    result = measure_consistency(runs_of(by_prediction=True), LABEL, stream())
    assert (result.mege.value, *result.mege.interval, result.mege.ceiling) == (1.0, 1.0, 1.0, 1.0)
    assert result.reco.value == pytest.approx(1.0)
    assert result.mege.null < 0.7
    assert result.reco.null < 0.2


def test_explanations_that_ignore_the_prediction_generalise_but_are_not_consistent():
    result = measure_consistency(runs_of(by_prediction=False), LABEL, stream())
    assert result.mege.value == 1.0
    assert result.reco.value == 0.0


def test_explanations_of_nothing_score_the_null():
    """MeGe lies between 1/2 and 1; the mean of about 200 distances with standard deviation 0.15 is exact to 0.01."""
    draw = torch.Generator().manual_seed(1)
    made = [
        RunExplanations(Vectors(torch.randn(SAMPLES, TYPES, generator=draw), EVERYWHERE), run.predicted)
        for run in runs_of(False)
    ]
    result = measure_consistency(made, LABEL, stream())
    assert abs(result.mege.value - result.mege.null) < 0.015
    assert abs(result.reco.value - result.reco.null) < 0.1
    assert result.mege.low < result.mege.null < result.mege.high


def test_equals_the_loop():
    runs = runs_of(by_prediction=True, noise=1.0, count=2)
    first, second = runs
    alike, unlike = [], []
    for n in range(SAMPLES):
        right = [run.predicted[n] == 0 for run in runs]
        rho = spearmanr(first.vectors.values[n], second.vectors.values[n]).statistic
        if any(right):
            (alike if all(right) else unlike).append(round(math.sqrt(1 - abs(rho)), 6))
    result = measure_consistency(runs, LABEL, stream())
    assert (result.alike, result.unlike) == (len(alike), len(unlike))
    assert result.mege.value == pytest.approx(1 / (1 + sum(alike) / len(alike)), abs=1e-6)
    best = max(
        sum(d <= gamma for d in alike) / len(alike) + sum(d > gamma for d in unlike) / len(unlike) - 1
        for gamma in alike + unlike
    )
    assert result.reco.value == pytest.approx(best, abs=1e-12)
    assert result.mege.interval is None


def test_runs_that_are_never_right_are_named():
    with pytest.raises(EmptyDataError, match="no run is right"):
        measure_consistency(runs_of(by_prediction=True), LABEL + 2, stream())
