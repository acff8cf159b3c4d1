"""Chains meet their points and move at constant speed."""

import math
from dataclasses import dataclass

import pytest
import torch

from perdure.core.errors import SettingError, ShapeError
from perdure.landscape.curve import Bezier
from perdure.landscape.path import Chain, connect_linearly, space_evenly
from perdure.ops.params import distance
from tests.landscape.bowls import point


def test_the_ends_are_exact(generator):
    ends = [{"w": torch.randn(50, generator=generator)} for _ in range(3)]
    for path in (connect_linearly(ends[0], ends[2]), Chain(tuple(ends))):
        assert torch.equal(path.at(0.0)["w"], ends[0]["w"])
        assert torch.equal(path.at(1.0)["w"], ends[2]["w"])


def test_equal_fractions_are_equally_far_apart():
    path = Chain((point(0.0, 0.0), point(0.1, 0.0), point(0.1, 0.0), point(1.0, 0.0), point(5.0, 0.0)))
    at = [path.at(k / 10) for k in range(11)]
    assert [float(p["x"]) for p in at] == pytest.approx([k / 2 for k in range(11)])


def test_the_points_lie_on_the_path():
    points = (point(0.0, 0.0), point(3.0, 4.0), point(3.0, 9.0))
    path = Chain(points)
    assert path.length == 10
    assert distance(path.at(0.5), points[1]) < 1e-12


def test_a_parabola_at_equal_arc_length_by_its_closed_form():
    """The curve is y = x - x^2 / 2 for x from 0 to 2; from x = 0 to x its arc is F(1) - F(1 - x)."""
    result = space_evenly(Bezier((point(0.0, 0.0), point(1.0, 1.0), point(2.0, 0.0))), 9)
    xs, ys = ([float(item[name]) for item in result.points] for name in "xy")
    assert ys == pytest.approx([x - x * x / 2 for x in xs])
    done = [_arc(1) - _arc(1 - x) for x in xs]
    assert done == pytest.approx([k / 8 * 2 * _arc(1) for k in range(9)], abs=1e-5)
    assert (result.points[0]["x"].item(), result.points[-1]["x"].item()) == (0, 2)


def _arc(slope):
    return (slope * math.sqrt(1 + slope * slope) + math.asinh(slope)) / 2


@dataclass(frozen=True)
class Circle:
    """A quarter of a circle at a speed that grows with the way."""

    points: tuple = ()

    def at(self, t):
        return point(math.cos(t * t * math.pi / 2), math.sin(t * t * math.pi / 2))


def test_a_circle_at_equal_angles():
    result = space_evenly(Circle(), 7)
    angles = [math.atan2(float(item["y"]), float(item["x"])) for item in result.points]
    assert angles == pytest.approx([k * math.pi / 12 for k in range(7)], abs=1e-5)
    assert result.length == pytest.approx(6 * 2 * math.sin(math.pi / 24))


def test_a_chain_is_cut_at_equal_lengths_and_a_point_stays_one():
    result = space_evenly(Chain((point(0.0, 0.0), point(0.5, 0.0), point(0.5, 3.5))), 5)
    assert [float(item["y"]) for item in result.points] == pytest.approx([0, 0.5, 1.5, 2.5, 3.5])
    still = space_evenly(Bezier((point(1.0, 2.0),) * 3), 3)
    assert still.length == 0


def test_a_path_that_stays_where_it_is():
    path = Chain((point(1.0, 2.0), point(1.0, 2.0)))
    assert float(path.at(0.3)["y"]) == 2


def test_what_is_no_path():
    with pytest.raises(SettingError, match="two points or more"):
        Chain((point(0.0, 0.0),))
    with pytest.raises(SettingError, match="from 0 to 1"):
        connect_linearly(point(0.0, 0.0), point(1.0, 0.0)).at(1.5)
    with pytest.raises(ShapeError, match="one architecture"):
        connect_linearly(point(0.0, 0.0), {"x": torch.zeros(1)}).at(0.5)
    with pytest.raises(SettingError):
        space_evenly(connect_linearly(point(0.0, 0.0), point(1.0, 0.0)), 1)
