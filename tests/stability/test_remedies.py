import math

import pytest
import torch

from perdure.core.errors import EmptyDataError, SettingError
from perdure.ops.correlation import spearman
from perdure.stability.agreement import RunExplanations, measure_sample_agreement
from perdure.stability.remedies import average_vectors, measure_mean_agreement
from perdure.stability.vectors import Vectors


def stream():
    return torch.Generator().manual_seed(3)


def drawn(count, samples=80, types=8):
    """Runs that share a vector per sequence and add as much noise of their own, each on a scale of its own."""
    draw = torch.Generator().manual_seed(0)
    present = torch.ones(samples, types, dtype=torch.bool)
    shared = torch.randn(samples, types, generator=draw)
    values = [10.0**i * (shared + torch.randn(samples, types, generator=draw)) for i in range(count)]
    return [RunExplanations(Vectors(one, present), torch.zeros(samples).long()) for one in values]


def test_groups_of_one_are_pairs():
    runs = drawn(4)
    found = measure_mean_agreement(runs, 1, spearman, stream())
    assert found.value == pytest.approx(measure_sample_agreement(runs, spearman, stream()).estimate.value, abs=1e-12)


def rank_correlation(r, types):
    """The mean of Spearman's coefficient of that many draws of two normal numbers with correlation r (Moran 1948)."""
    return 6 / (math.pi * (types + 1)) * (math.asin(r) + (types - 2) * math.asin(r / 2))


def test_means_agree_as_spearman_and_brown_foretell():
    """Two runs with correlation r have means of k with correlation kr / (1 + (k - 1) r): here 1/2, 2/3 and 4/5."""
    found = [measure_mean_agreement(drawn(8), size, spearman, stream()) for size in (1, 2, 4)]
    expected = [rank_correlation(size / (size + 1), types=8) for size in (1, 2, 4)]
    assert [one.value for one in found] == pytest.approx(expected, abs=0.03)
    assert all(abs(one.null) < 0.1 for one in found)
    assert all(one.low <= one.value <= one.high for one in found)


def test_the_largest_run_does_not_speak_for_all():
    mean = average_vectors([run.vectors for run in drawn(2)]).values
    both = [spearman(mean, run.vectors.values, run.vectors.present).mean().item() for run in drawn(2)]
    assert both[0] == pytest.approx(both[1], abs=0.05)


def test_only_samples_that_all_runs_predict_alike_are_compared():
    runs = drawn(4)
    odd = RunExplanations(runs[0].vectors, (torch.arange(80) < 30).long())
    assert measure_mean_agreement([odd, *runs[1:]], 2, spearman, stream()).n == 50
    with pytest.raises(EmptyDataError, match="all runs"):
        measure_mean_agreement(
            [RunExplanations(runs[0].vectors, torch.ones(80).long()), *runs[1:]], 2, spearman, stream()
        )


def test_too_few_runs_for_two_groups():
    with pytest.raises(SettingError, match="3 runs for two groups of 2"):
        measure_mean_agreement(drawn(3), 2, spearman, stream())
