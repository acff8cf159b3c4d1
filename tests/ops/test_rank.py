import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from perdure.ops.rank import average_precision, descending_rank, mark_lowest, mark_top, roc_area


def draw_scores(seed, levels, dtype=torch.float32, shape=(6, 40)):
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randint(-levels, levels + 1, shape, generator=draw).to(dtype) / levels
    truth = torch.rand(shape, generator=draw) < 0.3
    truth[:, 0], truth[:, 1] = True, False
    mask = torch.rand(shape, generator=draw) < 0.7
    mask[:, :2] = True
    return scores, truth, mask


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("levels", [1, 5, 10**6])
def test_areas_equal_those_of_scikit_learn_with_ties_and_padding(levels, dtype):
    scores, truth, mask = draw_scores(0, levels, dtype)
    for ours, theirs in ((average_precision, average_precision_score), (roc_area, roc_auc_score)):
        areas = ours(scores, truth, mask)
        expected = [theirs(b[m].numpy(), s[m].numpy()) for s, b, m in zip(scores, truth, mask, strict=True)]
        assert areas.tolist() == pytest.approx(expected, abs=1e-6)
        assert areas.dtype == dtype


def test_signed_zeros_are_tied():
    scores, truth = torch.tensor([[0.0, -0.0]]), torch.tensor([[True, False]])
    assert roc_area(scores, truth, torch.ones_like(truth)).item() == 0.5


def test_areas_without_both_kinds_are_undefined():
    scores, mask = torch.rand(1, 5), torch.ones(1, 5, dtype=torch.bool)
    assert average_precision(scores, ~mask, mask).isnan().all()
    assert roc_area(scores, mask, mask).isnan().all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 1000]))
def test_areas_depend_on_the_order_alone_and_not_on_positions(seed, levels):
    scores, truth, mask = draw_scores(seed, levels)
    shuffle = torch.randperm(scores.shape[1], generator=torch.Generator().manual_seed(seed))
    for area in (average_precision, roc_area):
        expected = area(scores, truth, mask)
        torch.testing.assert_close(area(scores.exp() * 7 + 1, truth, mask), expected)
        torch.testing.assert_close(area(scores[:, shuffle], truth[:, shuffle], mask[:, shuffle]), expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 1000]))
def test_turning_the_scores_round_mirrors_the_roc_area(seed, levels):
    scores, truth, mask = draw_scores(seed, levels)
    torch.testing.assert_close(roc_area(-scores, truth, mask), 1 - roc_area(scores, truth, mask))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 1000]))
def test_top_share_fills_exactly_the_places_and_treats_ties_alike(seed, levels):
    scores, truth, mask = draw_scores(seed, levels)
    count = (truth & mask).sum(1)
    weights = mark_top(scores, count, mask)
    torch.testing.assert_close(weights.sum(1), count.float())
    assert (weights[~mask] == 0).all()
    for row, weight, valid in zip(scores, weights, mask, strict=True):
        ordered = weight[valid][row[valid].argsort()]
        assert (ordered.diff() >= 0).all()
        assert all(len(weight[valid & (row == value)].unique()) == 1 for value in row[valid].unique())


def test_top_weights_of_a_constant_are_even():
    weights = mark_top(torch.zeros(1, 8), torch.tensor([2]), torch.ones(1, 8, dtype=torch.bool))
    assert weights.tolist() == [[0.25] * 8]


@pytest.mark.parametrize("levels", [1, 5, 10**6])
def test_ranks_go_down_the_scores_and_then_up_the_index_with_padding_last(levels):
    scores, _, mask = draw_scores(1, levels)
    for rank, row, valid in zip(descending_rank(scores, mask).tolist(), scores.tolist(), mask.tolist(), strict=True):
        order = sorted(range(40), key=lambda i: (not valid[i], -row[i] if valid[i] else 0, i))
        assert [order.index(i) for i in range(40)] == rank


def test_the_lowest_are_as_many_as_requested():
    keys = torch.rand(3, 4, 9, generator=torch.Generator().manual_seed(0))
    count = torch.tensor([1, 5, 9, 2])
    result = mark_lowest(keys, count)
    assert (result.sum(-1) == count).all()
    assert (keys.masked_fill(~result, -1).amax(-1) < keys.masked_fill(result, 2).amin(-1)).all()
