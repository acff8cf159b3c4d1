import pytest
import torch

from perdure.core.threads import one_thread, side_by_side


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_torch_has_its_threads_back_even_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), one_thread():
        1 // (torch.get_num_threads() - 1)
    assert torch.get_num_threads() == 2


def test_pieces_come_in_order_and_have_one_thread_each(two_threads):
    found = list(side_by_side(lambda piece: (piece, torch.get_num_threads()), range(20)))
    assert found == [(piece, 1) for piece in range(20)]
    assert torch.get_num_threads() == 2


def test_an_error_of_a_piece_arrives(two_threads):
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda piece: 1 // piece, [1, 0]))
    assert torch.get_num_threads() == 2
