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


def draw_values(count, samples=80, types=8):
    """Runs that share a vector per sequence and add as much independent noise, each on another scale."""
    draw = torch.Generator().manual_seed(0)
    present = torch.ones(samples, types, dtype=torch.bool)
    shared = torch.randn(samples, types, generator=draw)
    values = [10.0**i * (shared + torch.randn(samples, types, generator=draw)) for i in range(count)]
    return [RunExplanations(Vectors(item, present), torch.zeros(samples).long()) for item in values]


def test_groups_of_one_are_pairs():
    runs = draw_values(4)
    result = measure_mean_agreement(runs, 1, spearman, stream())
    assert result.value == pytest.approx(measure_sample_agreement(runs, spearman, stream()).estimate.value, abs=1e-12)


def rank_correlation(r, types):
    """The mean of Spearman's coefficient of that many draws of two normal numbers with correlation r (Moran 1948)."""
    return 6 / (math.pi * (types + 1)) * (math.asin(r) + (types - 2) * math.asin(r / 2))


def test_means_agree_as_spearman_and_brown_foretell():
    """Two runs with correlation r have means of k with correlation kr / (1 + (k - 1) r): here 1/2, 2/3 and 4/5."""
    result = [measure_mean_agreement(draw_values(8), size, spearman, stream()) for size in (1, 2, 4)]
    expected = [rank_correlation(size / (size + 1), types=8) for size in (1, 2, 4)]
    assert [item.value for item in result] == pytest.approx(expected, abs=0.03)
    assert all(abs(item.null) < 0.1 for item in result)
    assert all(item.low <= item.value <= item.high for item in result)


def test_the_largest_run_does_not_dominate_the_mean():
    mean = average_vectors([run.vectors for run in draw_values(2)]).values
    both = [spearman(mean, run.vectors.values, run.vectors.present).mean().item() for run in draw_values(2)]
    assert both[0] == pytest.approx(both[1], abs=0.05)


def test_only_samples_that_all_runs_predict_alike_are_compared():
    runs = draw_values(4)
    odd = RunExplanations(runs[0].vectors, (torch.arange(80) < 30).long())
    assert measure_mean_agreement([odd, *runs[1:]], 2, spearman, stream()).n == 50
    with pytest.raises(EmptyDataError, match="all runs"):
        measure_mean_agreement(
            [RunExplanations(runs[0].vectors, torch.ones(80).long()), *runs[1:]], 2, spearman, stream()
        )


def test_too_few_runs_for_two_groups():
    with pytest.raises(SettingError, match="3 runs for two groups of 2"):
        measure_mean_agreement(draw_values(3), 2, spearman, stream())
