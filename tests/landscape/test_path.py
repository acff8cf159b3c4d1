"""Chains meet their points and move at constant speed."""

import pytest
import torch

from perdure.core.errors import SettingError, ShapeError
from perdure.landscape.linear import linear
from perdure.landscape.path import Chain
from perdure.ops.params import distance
from tests.landscape.bowls import point


def test_the_ends_are_exact(generator):
    ends = [{"w": torch.randn(50, generator=generator)} for _ in range(3)]
    for path in (linear(ends[0], ends[2]), Chain(tuple(ends))):
        assert torch.equal(path.at(0.0)["w"], ends[0]["w"])
        assert torch.equal(path.at(1.0)["w"], ends[2]["w"])


def test_equal_shares_are_equally_far_apart():
    path = Chain((point(0.0, 0.0), point(0.1, 0.0), point(0.1, 0.0), point(1.0, 0.0), point(5.0, 0.0)))
    at = [path.at(k / 10) for k in range(11)]
    assert [float(p["x"]) for p in at] == pytest.approx([k / 2 for k in range(11)])


def test_the_points_lie_on_the_path():
    points = (point(0.0, 0.0), point(3.0, 4.0), point(3.0, 9.0))
    path = Chain(points)
    assert path.length == 10
    assert distance(path.at(0.5), points[1]) < 1e-12


def test_a_path_that_stays_where_it_is():
    path = Chain((point(1.0, 2.0), point(1.0, 2.0)))
    assert float(path.at(0.3)["y"]) == 2


def test_what_is_no_path():
    with pytest.raises(SettingError, match="two points or more"):
        Chain((point(0.0, 0.0),))
    with pytest.raises(SettingError, match="from 0 to 1"):
        linear(point(0.0, 0.0), point(1.0, 0.0)).at(1.5)
    with pytest.raises(ShapeError, match="one architecture"):
        linear(point(0.0, 0.0), {"x": torch.zeros(1)}).at(0.5)
