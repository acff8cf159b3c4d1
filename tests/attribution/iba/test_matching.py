"""The distance of moments: each sample has its own gradient, to the last digit."""

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.iba.matching import Features, _distance
from perdure.attribution.input_iba import InputIBA
from perdure.core.batch import Batch
from tests.cases import recurrent, stream


def gradient(features, result):
    leaf = result.clone().requires_grad_()
    return torch.autograd.grad(_distance(features)(leaf).sum(), leaf)[0]


def test_the_gradient_of_a_sample_does_not_depend_on_how_many_there_are():
    """Ten tenths add up to one or to a digit less, in the order of summing; a sum of ones does not."""
    result, scale = torch.randn(10, 6, 8, generator=stream(1)), torch.ones(8)
    mean, std = torch.randn(2, 6, 8, generator=stream(2)).abs()
    together = gradient(Features(mean, std, scale), result)
    for i in range(6):
        rows = slice(i, i + 1)
        assert torch.equal(gradient(Features(mean[rows], std[rows], scale), result[:, rows]), together[:, rows])


def test_the_distance_of_gaussians_with_these_moments():
    """Mean 1 and standard deviation 1 against mean 3 and 2: (1 - 3)^2 + (1 - 2)^2, in units of a scale of 2."""
    features = Features(torch.tensor([[3.0]]), torch.tensor([[2.0]]), torch.tensor([2.0]))
    result = torch.tensor([[[1.0 - 2**-0.5]], [[1.0 + 2**-0.5]]])
    torch.testing.assert_close(_distance(features)(result).sum(), torch.tensor(5.0 / 4))


@pytest.mark.parametrize("distance", [50.0, 200.0, 1000.0])
def test_inputs_that_saturate_the_layer_have_finite_maps(distance):
    """Far from the inputs seen, all copies give the same features, whose standard deviation is exactly zero."""
    model = recurrent(features=3).float()
    seen = Batch(torch.randn(20, 6, 3, generator=stream()), torch.zeros(20, dtype=torch.int64))
    method = InputIBA(prior="moments", steps=4, copies=2).fit(model, seen)
    result = attribute(model, torch.full((2, 6, 3), distance), method, target=1)
    assert result.values.isfinite().all()
    assert result.aux["prior"].isfinite().all()
