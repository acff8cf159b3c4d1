import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from perdure.ops.segment import segment_softmax, segment_sum

SEGMENT = torch.tensor([4, 0, 4, 2, 0, 0])


def values(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_each_segment_is_summed_and_normalised_separately(segments):
    segment, scores, rows = torch.tensor(segments), 300 * values(len(segments)), values(len(segments), 3)
    result, sums = segment_softmax(scores, segment, 6), segment_sum(rows, segment, 6)
    for item in range(6):
        torch.testing.assert_close(result[segment == item], scores[segment == item].softmax(0))
        torch.testing.assert_close(sums[item], rows[segment == item].sum(0))


def test_scores_of_any_size_are_finite():
    scores = torch.tensor([1e4, -1e4, -1e4, 0.0, 1e4, -3e38])
    assert segment_softmax(scores, SEGMENT, 5).tolist() == [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]


def test_gradients_are_exact():
    scores = values(6).requires_grad_()
    assert gradcheck(lambda s: segment_softmax(s, SEGMENT, 5), scores)
    assert gradcheck(lambda s: segment_sum(s.square(), SEGMENT, 5), scores)


def test_no_row_gives_nothing():
    none = torch.zeros(0, dtype=torch.int64)
    assert segment_softmax(values(0), none, 3).shape == (0,)
    assert (segment_sum(values(0, 2), none, 3) == 0).all()
