import warnings
from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.errors import EmptyDataError, SettingError
from perdure.stability.clusters import (
    adjusted_mutual_information,
    adjusted_rand,
    cluster_each_run,
    cluster_vectors,
    match_clusters,
    scan_cluster_counts,
)

LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=12).map(torch.tensor)


def plant(count=3, each=20, spread=0.2):
    draw = torch.Generator().manual_seed(0)
    label = torch.arange(count).repeat_interleave(each)
    return 3.0 * torch.eye(count)[label] + spread * torch.randn(len(label), count, generator=draw), label


def test_the_scan_finds_planted_clusters():
    values, label = plant()
    result = scan_cluster_counts(values, range(2, 7), seed=10)
    assert result.chosen == 3
    assert "k = 2 to 6" in result.reason
    assert adjusted_rand(result.clusterings[3].label, label) == 1.0
    assert result.silhouettes[3] == max(result.silhouettes.values()) > 0.8
    inertia = [item.inertia for item in result.clusterings.values()]
    assert inertia == sorted(inertia, reverse=True)


def test_centres_and_inertia_are_those_of_the_labels():
    values, _ = plant()
    result = cluster_vectors(values, 3, seed=0)
    means = torch.stack([values[result.label == k].double().mean(0) for k in range(3)])
    torch.testing.assert_close(result.centre, means, rtol=0, atol=1e-12)
    assert result.inertia == pytest.approx((values - means[result.label]).square().sum().item(), rel=1e-6)


def test_equal_seeds_give_equal_clusters():
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(cluster_vectors(values, 5, seed=3).label, cluster_vectors(values, 5, seed=3).label)


def structureless():
    return torch.rand(3000, 40, generator=torch.Generator().manual_seed(0)), None


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("drawn", [lambda: plant(5, 600, 1.0), structureless])
def test_refined_starts_are_as_good_as_full_ones(drawn, count, monkeypatch):
    """Within three thousandths of the inertia of ten full starts, whatever the seed."""
    values, _ = drawn()
    full = cluster_vectors(values, count, seed=0).inertia
    monkeypatch.setattr("perdure.stability.clusters.SMALL", 1)
    refined = [cluster_vectors(values, count, seed).inertia for seed in range(3)]
    assert max(refined) < 1.003 * full
    assert cluster_vectors(values, count, 1).inertia == refined[1]


def test_refined_starts_find_planted_clusters(monkeypatch):
    monkeypatch.setattr("perdure.stability.clusters.SMALL", 1)
    values, label = plant(each=500)
    assert adjusted_rand(cluster_vectors(values, 3, seed=0).label, label) == 1.0
    few = cluster_vectors(values[:4], 3, seed=0)
    assert len(few.label.unique()) == 3


def test_several_are_clustered_as_one_by_one_and_warnings_are_as_before():
    several = [torch.randn(50, 4, generator=torch.Generator().manual_seed(i)) for i in range(5)]
    before = list(warnings.filters)
    result = cluster_each_run([*several, torch.ones(50, 4)], 3, seed=1)
    assert warnings.filters == before
    for values, item in zip(several, result, strict=False):
        assert torch.equal(item.label, cluster_vectors(values, 3, seed=1).label)


@given(LABELS, st.permutations(range(4)))
def test_relabelled_clusters_agree_fully(label, order):
    other = torch.tensor(order)[label]
    assert adjusted_rand(label, other) == 1.0
    assert adjusted_mutual_information(label, other) == pytest.approx(1.0)
    assert torch.equal(match_clusters(other, label), label)


@given(LABELS, st.randoms(use_true_random=False))
def test_matching_keeps_the_partition_and_as_many_samples_as_any_renumbering(label, chance):
    other = torch.tensor([chance.randrange(3) for _ in label])
    result = match_clusters(other, label)
    assert adjusted_rand(result, other) == 1.0
    best = max(int((torch.tensor(order)[other] == label).sum()) for order in permutations(range(7), 3))
    assert int((result == label).sum()) == best


def test_random_partitions_agree_by_chance():
    draw = torch.Generator().manual_seed(0)
    pairs = [torch.randint(3, (2, 200), generator=draw) for _ in range(100)]
    for measure in (adjusted_rand, adjusted_mutual_information):
        values = torch.tensor([measure(*pair) for pair in pairs])
        assert abs(values.mean()) < 3 * values.std() / len(pairs) ** 0.5  # three standard errors


def test_one_vector_for_all_is_one_cluster():
    assert cluster_vectors(torch.ones(5, 2), 3, seed=0).label.unique().tolist() == [0]
    with pytest.raises(SettingError, match="none of k = 2, 3 has a silhouette"):
        scan_cluster_counts(torch.ones(5, 2), [2, 3], seed=0)


def test_what_cannot_be_clustered_is_named():
    with pytest.raises(SettingError, match="for 2 sequences"):
        cluster_vectors(torch.ones(2, 2), 3, seed=0)
    with pytest.raises(EmptyDataError):
        scan_cluster_counts(torch.ones(5, 2), [], seed=0)
