import pytest
import torch

from perdure.core.check import check_ids, check_readable
from perdure.core.errors import EmptyDataError, NonFiniteError, ShapeError, VocabularyError

IDS = torch.tensor([[2, 0, 1], [4, 3, 1]])


def test_token_ids_inside_the_vocabulary_pass():
    check_ids(IDS, 5)
    check_readable(IDS)
    check_readable(IDS.double())


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (IDS, VocabularyError, r"the id 4 at index \(1, 0\), but the vocabulary has 4 words"),
        (-IDS, VocabularyError, r"the id -2 at index \(0, 0\)"),
        (IDS[0], ShapeError, r"of shape \(3,\)"),
        (IDS.int(), ShapeError, "torch.int32"),
        (IDS[:, :0], EmptyDataError, "holds nothing"),
    ],
)
def test_other_token_ids_are_named(ids, error, message):
    with pytest.raises(error, match=message):
        check_ids(ids, 4)


def test_what_a_model_cannot_read_is_named():
    with pytest.raises(NonFiniteError):
        check_readable(torch.tensor([[torch.nan]]))
    with pytest.raises(VocabularyError):
        check_readable(-IDS)
    with pytest.raises(ShapeError, match=r"torch.bool"):
        check_readable(IDS > 1)
