import pytest
import torch

from perdure.audit.modality import IMAGES, SERIES, TEXTS, find_modality
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.core.registry import METHODS


@pytest.mark.parametrize(
    ("inputs", "modality"),
    [(torch.zeros(1, 4, 2), SERIES), (torch.zeros(1, 3, 8, 8), IMAGES), (torch.zeros(1, 4).long(), TEXTS)],
)
def test_the_modality_follows_from_the_inputs(inputs, modality):
    assert find_modality(Batch(inputs, torch.zeros(1).long())) is modality
    assert [METHODS.make(name) for name in modality.methods]


def test_one_step_is_no_time_to_reach_back():
    modality = find_modality(Batch(torch.zeros(2, 1, 3), torch.zeros(2).long()))
    assert (modality.in_time, modality.methods) == (False, SERIES.methods)


def test_a_table_has_no_audit():
    with pytest.raises(UnsupportedError, match=r"shape \(1, 4\)"):
        find_modality(Batch(torch.zeros(1, 4), torch.zeros(1).long()))
