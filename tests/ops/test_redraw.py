import pytest
import torch
from torch import nn

from perdure.core.errors import UnsupportedError
from perdure.ops.redraw import redraw, stages_of
from tests.cases import convolutional, stream


class Raw(nn.Module):
    """A cell with parameters of its own, which `reset_parameters` would not reach."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(3, 2))
        self.head = nn.Linear(3, 1)


def names(stages):
    return [[name for name, _ in stage] for stage in stages]


def test_raw_parameters_are_found_and_the_last_module_comes_first():
    assert names(stages_of(Raw(), "matched")) == [["head.weight", "head.bias"], ["kernel"]]


def test_shared_parameters_appear_once():
    first = nn.Linear(2, 2, bias=False)
    model = nn.Sequential(first, nn.Tanh(), nn.Linear(2, 2, bias=False))
    model[2].weight = first.weight
    assert names(stages_of(model, "matched")) == [["0.weight"]]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_fewer_stages_hold_the_same_parameters_in_the_same_order(count):
    model = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(5)))
    stages = names(stages_of(model, "matched", count))
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
    assert names(stages_of(convolutional(), "published")) == [["5.weight", "5.bias"], ["0.weight", "0.bias"]]


@pytest.mark.parametrize("how", ["matched", "published"])
def test_nothing_to_redraw_is_named(how):
    with pytest.raises(UnsupportedError, match=r"Tanh has no .*Remedy"):
        stages_of(nn.Tanh(), how)
