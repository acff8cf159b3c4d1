"""Learned curves find bends that are known, keep their ends and follow from their generator."""

import math

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError
from perdure.landscape.barrier import measure_barrier
from perdure.landscape.curve import Bezier, CurveSettings, _compute_bernstein, _compute_hats, fit_bezier, fit_polychain
from perdure.landscape.path import space_evenly
from perdure.landscape.surface import CountedSurface, ModelLoss
from perdure.ops.params import distance, params_of
from tests.landscape.bowls import PASS, RING, point

ENDS = point(-1.0, 0.0), point(1.0, 0.0)


def test_the_parabola_over_a_pass_is_found(generator):
    """With the control point (0, 2) the curve is y = 1 - x^2, the floor of both valleys: the best there is."""
    result = fit_bezier(PASS, *ENDS, generator, CurveSettings(steps=500, learning_rate=0.05))
    assert float(result.points[1]["x"]) == pytest.approx(0, abs=0.1)  # from 500 random points of the path
    assert float(result.points[1]["y"]) == pytest.approx(2, abs=0.1)
    assert measure_barrier(PASS, result, generator).increase == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("learn", [fit_bezier, fit_polychain])
def test_a_ring_is_cut_less_than_by_the_straight_line(learn, generator):
    angle = math.radians(120)
    ends = point(1.0, 0.0), point(math.cos(angle), math.sin(angle))
    result = learn(RING, *ends, generator, CurveSettings(steps=300, learning_rate=0.05))
    assert measure_barrier(RING, result, generator).increase < 0.2 * 2.5


@pytest.mark.parametrize("learn", [fit_bezier, fit_polychain])
def test_ends_are_exact_and_the_same_stream_gives_the_same_bend(learn, generator):
    x = torch.randn(30, 4, generator=generator)
    surface = ModelLoss(nn.Linear(4, 2), Batch(x, (x[:, 0] > 0).long()))
    ends = [
        {name: torch.randn(w.shape, generator=generator) for name, w in params_of(surface.model).items()} for _ in "ab"
    ]
    settings = CurveSettings(steps=5, batch_size=7)
    first, two, other = (learn(surface, *ends, torch.Generator().manual_seed(seed), settings) for seed in (0, 0, 1))
    for t, end in ((0.0, ends[0]), (1.0, ends[1])):
        assert distance(first.at(t), end) == 0
    assert distance(first.points[1], two.points[1]) == 0
    assert distance(first.points[1], other.points[1]) > 0


def test_the_curve_by_hand():
    curve = Bezier((point(0.0, 0.0), point(1.0, 3.0), point(4.0, 0.0)))
    at = curve.at(0.25)
    assert (float(at["x"]), float(at["y"])) == pytest.approx((2 * 0.25 * 0.75 + 4 * 0.0625, 2 * 0.25 * 0.75 * 3))


def test_a_cubic_curve_by_hand():
    curve = Bezier((point(0.0, 0.0), point(1.0, 3.0), point(4.0, 0.0), point(8.0, 8.0)))
    parts = (0.75**3, 3 * 0.25 * 0.75**2, 3 * 0.25**2 * 0.75, 0.25**3)
    assert _compute_bernstein(3, 0.25) == pytest.approx(parts)
    at = curve.at(0.25)
    expected = [sum(a * b for a, b in zip(parts, side, strict=True)) for side in ((0, 1, 4, 8), (0, 3, 0, 8))]
    assert [float(at["x"]), float(at["y"])] == pytest.approx(expected)


def test_the_parts_of_a_chain_are_those_of_its_pieces():
    assert _compute_hats(2, 0.25) == (0.5, 0.5, 0.0)
    assert _compute_hats(4, 0.625) == (0.0, 0.0, 0.5, 0.5, 0.0)


@pytest.mark.parametrize("learn", [fit_bezier, fit_polychain])
def test_more_bends_follow_a_ring_more_closely(learn, generator):
    """One bend cannot keep to 170 degrees of a circle; three can."""
    angle = math.radians(170)
    ends = point(1.0, 0.0), point(math.cos(angle), math.sin(angle))
    first, three = (learn(RING, *ends, generator, CurveSettings(250, 0.1, bends=bends)) for bends in (1, 3))
    assert (len(first.points), len(three.points)) == (3, 5)
    few, many = (measure_barrier(RING, space_evenly(result), generator).increase for result in (first, three))
    assert many < 0.5 * few


@pytest.mark.parametrize(("learn", "allowed"), [(fit_bezier, 2.0), (fit_polychain, 2.0), (fit_bezier, 6.0)])
def test_learning_ends_where_the_loss_is_low_enough(learn, allowed, generator):
    """The straight line costs 6 and needs no step when that is allowed; the best curve costs 1."""
    counted = CountedSurface(PASS)
    result = learn(counted, *ENDS, generator, CurveSettings(steps=500, learning_rate=0.05, allowed=allowed))
    assert counted.gradients == (0 if allowed == 6 else pytest.approx(100, abs=50))
    assert measure_barrier(PASS, result, generator, 9).increase <= allowed


def test_what_cannot_be_learned(generator):
    for setting in ({"steps": 0}, {"bends": 0}, {"allowed": -1.0}, {"learning_rate": 0.0}, {"batch_size": 0}):
        with pytest.raises(SettingError):
            CurveSettings(**setting)
    with pytest.raises(SettingError, match="control point"):
        Bezier(ENDS)
    with pytest.raises(SettingError, match="from 0 to 1"):
        Bezier((ENDS[0], *ENDS)).at(-0.1)
    with pytest.raises(ShapeError):
        fit_bezier(PASS, ENDS[0], {"x": torch.zeros(1)}, generator)
