import torch
from hypothesis import given
from hypothesis import strategies as st

from perdure.ops.perturb import (
    occlude,
    renumber_changes,
    replace_first,
    tile_index,
    window_count,
    window_cover,
)

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


def test_the_first_sites_come_from_the_end_and_one_rank_may_stand_for_a_pixel():
    start, end = torch.zeros(2, 3, 1, 2), torch.ones(2, 3, 1, 2)
    rank = torch.tensor([[0, 1], [1, 0]]).reshape(2, 1, 1, 2)
    copies = replace_first(start, end, rank, torch.tensor([[0, 2], [1, 1]]))
    assert copies[:, :, 0, 0].tolist() == [[[0, 0], [1, 1]], [[1, 0], [0, 1]]]
    assert torch.equal(copies, copies[:, :, :1].expand_as(copies))


@given(st.integers(0, 10**6), st.booleans())
def test_without_places_that_change_nothing_the_copies_are_the_same_and_equal_counts_equal_copies(seed, shared):
    draw = torch.Generator().manual_seed(seed)
    start, end = torch.randint(2, (2, 2, 5, 2), generator=draw).float()
    rank = torch.stack([torch.randperm(5 if shared else 10, generator=draw) for _ in range(2)])
    rank = rank.reshape(2, 5, -1)
    counts = torch.arange(rank[0].numel() + 1).expand(2, -1)
    fewer, changes = renumber_changes(start, end, rank, counts)
    copies = replace_first(start, end, rank, counts.T)
    assert torch.equal(replace_first(start, end, fewer, changes.T), copies)
    same = (copies[1:] == copies[:-1]).flatten(2).all(2)
    assert torch.equal(same, (changes.diff(dim=1) == 0).T)


def test_tiles_number_positions_row_by_row():
    tile = tile_index((20, 17), 8)
    assert tile[0].tolist() == [0] * 8 + [1] * 8 + [2]
    assert tile[:, 0].tolist() == [0] * 8 + [3] * 8 + [6] * 4
    assert tile_index((5,), 2).tolist() == [0, 0, 1, 1, 2]
