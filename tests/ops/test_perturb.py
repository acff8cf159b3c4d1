import torch
from hypothesis import given
from hypothesis import strategies as st

from perdure.ops.perturb import occlude, window_count, window_cover

sizes = st.integers(1, 12)


@given(sizes, sizes, sizes)
def test_windows_are_full_but_the_last_and_leave_out_no_site(size, window, stride):
    stride = min(stride, window)
    cover = window_cover(size, window, stride)
    assert cover.any(0).all()
    assert (cover[:-1].sum(1) == window).all()
    assert cover[-1].any()
    assert len(cover) == window_count(size, window, stride)


def test_counts_of_several_lengths():
    assert window_count(torch.tensor([1, 3, 4, 7]), 3, 2).tolist() == [1, 1, 2, 3]


def test_a_window_is_the_product_of_its_axes():
    x, hidden = torch.ones(2, 3, 4), torch.zeros(2, 3, 4)
    copies = occlude(x, hidden, [window_cover(3, 2, 1), window_cover(4, 2, 2)])
    assert copies.shape == (2, 2, 3, 4)
    assert copies[1, 0].int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert torch.equal(copies[:, 0], copies[:, 1])
