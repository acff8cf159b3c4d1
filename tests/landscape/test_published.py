"""The published tracking: straight where it can, around where it must, and without the guarantees of ours."""

import itertools
import math

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.landscape.direction import find_direction
from perdure.landscape.published import PublishedSettings, _Solver, track_published_valley
from perdure.ops.params import difference, distance
from tests.landscape.bowls import BOWL, PASS, RING, Formula, point


def test_a_convex_bowl_is_crossed_on_the_straight_line(generator):
    ends = point(-3.0, 1.0), point(2.0, -1.0)
    result = track_published_valley(BOWL, *ends, PublishedSettings(0.0), generator)
    assert (result.ended, result.increase, result.gradients) == ("target", 0.0, 0)
    assert result.path.length == pytest.approx(math.hypot(5, 2))
    assert distance(result.points[-1], ends[1]) <= 1e-3


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_its_direction_is_at_best_the_exact_one(slope, generator):
    """The same problem: what keeps the slope is no closer to the target; here it does keep it."""
    slide = Formula(lambda x, y: 8 * x + 9 * y)
    start, target = point(0.3, 0.1), point(-0.3, 0.9)
    way = torch.tensor([0.3, 0.1], dtype=torch.float64, requires_grad=True)
    settings = PublishedSettings(0.0, slope=slope, inner=100, outer=10)
    solver = _Solver(slide, settings, generator, way, torch.optim.Adam([way]))
    result = solver.direction(start, target, slope)
    to, gradient = difference(start, target), torch.tensor([8.0, 9.0], dtype=torch.float64)
    exact = find_direction(to, gradient, slope / float(gradient.norm()))
    assert float(result.norm()) == pytest.approx(1)
    assert float(result @ gradient) <= -slope
    assert float(result @ to) <= float(exact @ to) + 1e-12


def test_a_ring_is_left_no_further_than_allowed_or_the_result_reports_it(generator):
    angle = math.radians(120)
    ends = point(1.0, 0.0), point(math.cos(angle), math.sin(angle))
    settings = PublishedSettings(0.05, inner=50, outer=3, evaluations=300)
    result = track_published_valley(RING, *ends, settings, generator)
    assert result.increase == max(result.losses) - max(float(RING.losses(end).mean()) for end in ends)
    assert distance(result.points[-1], ends[1]) < distance(*ends)
    assert result.gradients > 0


def test_it_does_not_end_by_itself_where_a_pass_is_too_high(generator):
    ends = point(-1.0, 0.0), point(1.0, 0.0)
    cut = track_published_valley(PASS, *ends, PublishedSettings(0.1, inner=5, outer=1, evaluations=200), generator)
    assert cut.ended == "evaluations"
    assert track_published_valley(PASS, *ends, PublishedSettings(0.1, seconds=0.0), generator).ended == "seconds"


def test_time_is_measured_by_the_given_clock(generator):
    """A clock that strikes at each look: one at the start, one before each step."""
    ends, settings = (point(-3.0, 1.0), point(2.0, -1.0)), PublishedSettings(0.0, seconds=4.0)
    result = track_published_valley(BOWL, *ends, settings, generator, itertools.count().__next__)
    assert (result.ended, len(result.points)) == ("seconds", 4)


def test_settings_that_cannot_be_used():
    for setting in ({"allowed": -1.0}, {"allowed": 0.0, "share": 0.0}, {"allowed": 0.0, "inner": 0}):
        with pytest.raises(SettingError):
            PublishedSettings(**setting)
