import torch

from perdure.attribution._attribute import attribute
from tests.cases import Linear, stream


def test_maps_are_uniform_and_spend_no_pass():
    result = attribute(Linear(40, 50), torch.zeros(5, 40, 50), "random", target=torch.zeros(5, dtype=torch.long))
    assert abs(result.values.mean().item() - 0.5) < 0.02  # seven standard errors
    assert abs(result.values.var().item() - 1 / 12) < 0.005
    assert (result.provenance.forward, result.provenance.backward) == (0, 0)


def test_other_seeds_give_other_maps():
    x, label = torch.zeros(2, 3), torch.zeros(2, dtype=torch.long)
    first, second = (attribute(Linear(3), x, "random", target=label, generator=stream(s)).values for s in (0, 1))
    assert not torch.equal(first, second)
