from functools import partial

import pytest
import torch

from perdure.core.errors import EmptyDataError, ShapeError
from perdure.ops.agreement import cosine, jensen_shannon, kendall, sign_agreement, top_jaccard
from perdure.ops.correlation import spearman
from perdure.stability.agreement import (
    RunExplanations,
    find_equal_predictions,
    measure_cluster_agreement,
    measure_sample_agreement,
)
from perdure.stability.clusters import adjusted_mutual_information, adjusted_rand, scan_cluster_counts
from perdure.stability.null import shuffle_samples, shuffle_types
from perdure.stability.vectors import Vectors

MEASURES = [spearman, kendall, cosine, sign_agreement, jensen_shannon, partial(top_jaccard, count=2)]


def stream():
    return torch.Generator().manual_seed(5)


def draw_values(noise, count=4, samples=60, types=6, seed=0):
    """Runs that share a vector per sequence and add independent noise."""
    draw = torch.Generator().manual_seed(seed)
    present = torch.rand(samples, types, generator=draw) < 0.8
    shared = torch.randn(samples, types, generator=draw)
    values = [shared + noise * torch.randn(samples, types, generator=draw) for _ in range(count)]
    predicted = torch.randint(2, (samples,), generator=draw)
    return [RunExplanations(Vectors(item.abs().masked_fill(~present, 0.0), present), predicted) for item in values]


@pytest.mark.parametrize("measure", MEASURES)
def test_identical_runs_score_the_ceiling(measure):
    result = measure_sample_agreement(draw_values(0.0), measure, stream()).estimate
    best = 0.0 if measure is jensen_shannon else 1.0
    assert (result.value, *result.interval, result.ceiling) == pytest.approx((best,) * 4, abs=1e-12)


@pytest.mark.parametrize("measure", [spearman, kendall, cosine, jensen_shannon, partial(top_jaccard, count=2)])
@pytest.mark.parametrize("shuffle", [shuffle_types, shuffle_samples])
def test_permuted_runs_score_the_null(measure, shuffle):
    """A tenth of the way to the ceiling is three standard errors of a mean over six pairs of 60 sequences."""
    runs = [
        RunExplanations(shuffle(run.vectors, stream().manual_seed(i)), run.predicted)
        for i, run in enumerate(draw_values(0.0))
    ]
    result = measure_sample_agreement(runs, measure, stream(), shuffle).estimate
    assert abs(result.value - result.null) < 0.1 * abs(result.ceiling - result.null)


def test_more_noise_agrees_less():
    means = [
        measure_sample_agreement(draw_values(noise), spearman, stream()).estimate.value for noise in (0.1, 0.5, 2.0)
    ]
    assert means == sorted(means, reverse=True)


def test_only_sequences_predicted_alike_are_compared():
    """Runs agree on the first half, which they predict alike, and are opposite on the other."""
    values, present = torch.arange(1.0, 6.0).repeat(10, 1), torch.ones(10, 5, dtype=torch.bool)
    half = torch.arange(10) < 5
    other = torch.where(half[:, None], values, -values)
    runs = [
        RunExplanations(Vectors(values, present), half.long() * 0),
        RunExplanations(Vectors(other, present), (~half).long()),
    ]
    result = measure_sample_agreement(runs, spearman, stream()).estimate
    assert result.value == 1.0
    assert find_equal_predictions(runs)[0, 1].double().mean() == 0.5
    assert result.interval is None


def test_sequences_with_one_type_are_left_out():
    present = torch.tensor([[True, True, True], [True, False, False]])
    values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])
    runs = [RunExplanations(Vectors(sign * values, present), torch.zeros(2)) for sign in (1, -1)]
    assert measure_sample_agreement(runs, spearman, stream()).estimate.value == -1.0


def test_noise_of_the_method_lowers_the_ceiling():
    runs = draw_values(0.0, count=3)
    again = draw_values(0.5, count=3)
    noisy = [RunExplanations(run.vectors, run.predicted, other.vectors) for run, other in zip(runs, again, strict=True)]
    result = measure_sample_agreement(noisy, spearman, stream()).estimate
    assert result.value == 1.0
    expected = [spearman(run.vectors.values, run.again.values, run.vectors.present) for run in noisy]
    several = runs[0].vectors.present.sum(1) > 1
    assert result.ceiling == pytest.approx(torch.stack(expected)[:, several].mean().item(), abs=1e-12)


def make_groups(same, samples=60):
    """Runs that put sequences into two groups far apart, the same ones or others."""
    draw = torch.Generator().manual_seed(0)
    group = torch.randint(2, (samples,), generator=draw)
    runs = []
    for _ in range(4):
        values = group[:, None] * torch.tensor([5.0, -5.0]) + 0.1 * torch.randn(samples, 2, generator=draw)
        runs.append(RunExplanations(Vectors(values, torch.ones(samples, 2, dtype=torch.bool)), torch.zeros(samples)))
        group = group if same else group[torch.randperm(samples, generator=draw)]
    return runs


@pytest.mark.parametrize("measure", [adjusted_rand, adjusted_mutual_information])
def test_clusters_of_equal_groups_score_the_ceiling_and_of_others_the_null(measure):
    both = (measure_cluster_agreement(make_groups(same), 2, stream(), {"it": measure}) for same in (True, False))
    together, apart = (result["it"].estimate for result in both)
    assert together.value == pytest.approx(together.ceiling) == pytest.approx(1.0)
    assert apart.ceiling == pytest.approx(1.0)
    assert abs(apart.value) < 0.05
    assert abs(apart.null) < 0.05
    assert together.null < 0.05


def test_equal_streams_give_equal_numbers():
    first, second = (measure_sample_agreement(draw_values(0.5), spearman, stream()).estimate for _ in range(2))
    assert first == second


def test_runs_that_cannot_be_compared_are_named():
    runs = draw_values(0.0)
    with pytest.raises(EmptyDataError, match="1 runs"):
        measure_sample_agreement(runs[:1], spearman, stream())
    with pytest.raises(ShapeError, match="run 1 does not explain the sequences of run 0"):
        measure_sample_agreement([runs[0], draw_values(0.0, seed=1)[0]], spearman, stream())
    strangers = [RunExplanations(runs[0].vectors, torch.full((60,), i)) for i in range(2)]
    with pytest.raises(EmptyDataError, match="predict alike"):
        measure_cluster_agreement(strangers, 2, stream())


def test_what_is_compared_in_parts_is_what_is_compared_at_once(monkeypatch):
    """Threads and parts change nothing but the time, and torch keeps its threads."""
    runs, threads = draw_values(0.5), torch.get_num_threads()
    whole = measure_sample_agreement(runs, kendall, stream())
    monkeypatch.setattr("perdure.stability.agreement.NUMBERS", 100)
    parts = measure_sample_agreement(runs, kendall, stream())
    assert torch.allclose(parts.pairs, whole.pairs, rtol=0, atol=1e-12, equal_nan=True)
    assert parts.estimate.null == pytest.approx(whole.estimate.null, abs=1e-12)
    assert torch.get_num_threads() == threads


def test_a_null_of_some_samples_is_near_that_of_all(monkeypatch):
    runs = draw_values(0.5, samples=1500)
    rows = measure_sample_agreement(runs, spearman, stream()).estimate.null
    monkeypatch.setattr("perdure.stability.agreement.NULL", 1500)
    assert rows == pytest.approx(measure_sample_agreement(runs, spearman, stream()).estimate.null, abs=0.03)


def test_two_strategies_are_found_as_two_clusters_of_runs_that_agree():
    """Half of the runs explain by the first types, the others at the last: pairs agree within a half, not across."""
    draw = torch.Generator().manual_seed(0)
    present, predicted = torch.ones(60, 6, dtype=torch.bool), torch.zeros(60)
    ways = torch.tensor([[3.0, 3.0, 3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 3.0, 3.0, 3.0]])
    runs = [
        RunExplanations(Vectors(ways[k % 2] + torch.rand(60, 6, generator=draw), present), predicted) for k in range(6)
    ]
    pairs = measure_sample_agreement(runs, cosine, stream()).pairs
    same = torch.arange(6)[:, None] % 2 == torch.arange(6) % 2
    off = ~torch.eye(6, dtype=torch.bool)
    assert pairs[same & off].min() > pairs[~same].max() + 0.3
    result = scan_cluster_counts(
        torch.cat([run.vectors.values.mean(0, keepdim=True) for run in runs]), range(2, 5), seed=0
    )
    assert result.chosen == 2
    assert adjusted_rand(result.clusterings[2].label, torch.arange(6) % 2) == 1.0
