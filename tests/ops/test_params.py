"""Weights as points: exact ends, exact inverses, norms by hand."""

import pytest
import torch
from torch import nn

from perdure.core.errors import ShapeError, UnsupportedError
from perdure.ops.params import distance, flatten, group_into_stages, interpolate, params_of, redraw, unflatten
from tests.cases import convolutional, stream


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


class Raw(nn.Module):
    """A cell with direct parameters, which `reset_parameters` would not reach."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(3, 2))
        self.head = nn.Linear(3, 1)


def names(stages):
    return [[name for name, _ in stage] for stage in stages]


def test_raw_parameters_are_found_and_the_last_module_comes_first():
    assert names(group_into_stages(Raw(), "matched")) == [["head.weight", "head.bias"], ["kernel"]]


def test_shared_parameters_appear_once():
    first = nn.Linear(2, 2, bias=False)
    model = nn.Sequential(first, nn.Tanh(), nn.Linear(2, 2, bias=False))
    model[2].weight = first.weight
    assert names(group_into_stages(model, "matched")) == [["0.weight"]]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_fewer_stages_hold_the_same_parameters_in_the_same_order(count):
    model = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(5)))
    stages = names(group_into_stages(model, "matched", count))
    assert len(stages) == min(count, 5)
    assert [name for stage in stages for name in stage] == [f"{i}.weight" for i in (4, 3, 2, 1, 0)]


def test_matched_draws_keep_the_scale_and_constant_vectors():
    weight = nn.Parameter(torch.full((200, 200), 3.0))
    gain, bias = nn.Parameter(torch.ones(50)), nn.Parameter(torch.linspace(-1, 3, 5000))
    for parameter in (weight, gain, bias):
        redraw(parameter, "matched", stream(0))
    assert weight.mean().item() == pytest.approx(0.0, abs=0.06)  # 4 standard errors
    assert weight.std().item() == pytest.approx(3.0, rel=0.02)
    assert gain.tolist() == [1.0] * 50
    assert bias.mean().item() == pytest.approx(1.0, abs=0.07)
    assert bias.std().item() == pytest.approx(4 / 12**0.5, rel=0.05)


def test_published_draws():
    kernel, matrix, bias = (
        nn.Parameter(torch.ones(40, 30, 3, 3)),
        nn.Parameter(torch.ones(100, 90)),
        nn.Parameter(torch.ones(9)),
    )
    for parameter in (kernel, matrix, bias):
        redraw(parameter, "published", stream(0))
    bound = (6 / (70 * 9)) ** 0.5
    assert bound * 0.99 < kernel.abs().max().item() <= bound
    assert matrix.std().item() == pytest.approx(0.05, rel=0.05)
    assert bias.tolist() == [0.0] * 9


def test_published_stages_leave_normalisation_alone():
    assert names(group_into_stages(convolutional(), "published")) == [["5.weight", "5.bias"], ["0.weight", "0.bias"]]


@pytest.mark.parametrize("how", ["matched", "published"])
def test_nothing_to_redraw_is_named(how):
    with pytest.raises(UnsupportedError, match=r"Tanh has no .*Remedy"):
        group_into_stages(nn.Tanh(), how)
