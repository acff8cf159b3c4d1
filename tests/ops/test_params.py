"""Weights as points: exact ends, exact inverses, norms by hand."""

import pytest
import torch
from torch import nn

from perdure.core.errors import ShapeError
from perdure.ops.params import distance, flatten, interpolate, params_of, unflatten


def points(generator):
    return [
        {"a": torch.randn(3, 4, generator=generator), "b": torch.randn(5, generator=generator).double()}
        for _ in range(2)
    ]


def test_flatten_and_unflatten_are_inverse(generator):
    first, _ = points(generator)
    back = unflatten(flatten(first), first)
    assert [w.dtype for w in back.values()] == [torch.float32, torch.float64]
    assert all(torch.equal(back[name], first[name]) for name in first)


def test_both_ends_of_an_interpolation_are_exact_and_nothing_is_written(generator):
    first, second = points(generator)
    before = flatten(first).clone(), flatten(second).clone()
    for t, end in ((0.0, first), (1.0, second)):
        assert distance(interpolate(first, second, t), end, torch.inf) == 0
    assert torch.equal(flatten(first), before[0])
    assert torch.equal(flatten(second), before[1])


def test_the_distance_from_an_end_grows_as_the_share(generator):
    first, second = points(generator)
    whole = distance(first, second)
    for t in (0.25, 0.5, 0.9):
        assert distance(first, interpolate(first, second, t)) == pytest.approx(t * whole, rel=1e-6)  # float32 weights


@pytest.mark.parametrize(("order", "known"), [(1.0, 7.0), (2.0, 5.0), (torch.inf, 4.0)])
def test_norms_by_hand(order, known):
    assert distance({"w": torch.tensor([1.0, 1.0])}, {"w": torch.tensor([-3.0, 4.0])}, order) == known


def test_weights_are_copies_and_leave_statistics_behind():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    weights = params_of(model)
    weights["0.weight"].zero_()
    assert model[0].weight.abs().sum() > 0
    assert list(weights) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_points_of_two_architectures_do_not_fit():
    with pytest.raises(ShapeError, match="first at 'a'"):
        interpolate({"a": torch.zeros(2)}, {"a": torch.zeros(3)}, 0.5)
    with pytest.raises(ShapeError, match="a vector of 2 weights"):
        unflatten(torch.zeros(3), {"a": torch.zeros(2)})
