import pytest
import torch

from perdure.audit.kind import IMAGES, SERIES, TEXTS, kind_of
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.core.registry import METHODS


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [(torch.zeros(1, 4, 2), SERIES), (torch.zeros(1, 3, 8, 8), IMAGES), (torch.zeros(1, 4).long(), TEXTS)],
)
def test_the_kind_follows_from_the_inputs(inputs, kind):
    assert kind_of(Batch(inputs, torch.zeros(1).long())) is kind
    assert [METHODS.make(name) for name in kind.methods]


def test_one_step_is_no_time_to_reach_back():
    kind = kind_of(Batch(torch.zeros(2, 1, 3), torch.zeros(2).long()))
    assert (kind.in_time, kind.methods) == (False, SERIES.methods)


def test_a_table_has_no_audit():
    with pytest.raises(UnsupportedError, match=r"shape \(1, 4\)"):
        kind_of(Batch(torch.zeros(1, 4), torch.zeros(1).long()))
