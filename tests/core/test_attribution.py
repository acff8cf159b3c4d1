import copy
import pickle

import torch

from perdure.attribution._attribute import attribute
from tests.cases import stream

X = torch.randn(3, 5, generator=stream())


def test_copies_take_neither_model_nor_inputs_along():
    found = attribute(lambda x: x @ torch.ones(5, 2), X, "gradient", target=0)  # a model that cannot be pickled
    assert found.trial is not None
    for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert torch.equal(again.values, found.values)
        assert (again.dims, again.provenance, again.trial) == (found.dims, found.provenance, None)
