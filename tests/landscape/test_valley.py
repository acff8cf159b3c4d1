"""Valleys of known shape; bounds that hold at every point; budgets; resuming as if nothing had been interrupted."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import NonFiniteError, SettingError
from perdure.landscape.barrier import measure_barrier
from perdure.landscape.path import connect_linearly
from perdure.landscape.surface import ModelLoss
from perdure.landscape.tracking import ValleySettings
from perdure.landscape.valley import track_valley
from perdure.ops.params import distance, interpolate, params_of
from tests.landscape.bowls import BOWL, PASS, RING, Formula, point


def around(degrees):
    angle = math.radians(degrees)
    return point(1.0, 0.0), point(math.cos(angle), math.sin(angle))


def keeps_its_bounds(surface, result, target):
    far = [distance(item, target) for item in result.points]
    assert all(before > after for before, after in itertools.pairwise(far))
    losses = [float(surface.losses(item).double().mean()) for item in result.points]
    assert losses == pytest.approx(list(result.losses), abs=1e-12)
    assert max(losses) <= result.level


def test_a_convex_bowl_is_crossed_without_an_increase():
    ends = point(-3.0, 1.0), point(2.0, -1.0)
    result = track_valley(BOWL, *ends)
    assert (result.ended, result.increase) == ("target", 0.0)
    assert result.points[0] is ends[0]
    assert result.points[-1] is ends[1]
    keeps_its_bounds(BOWL, result, ends[1])


@pytest.mark.parametrize("degrees", [90, 120, 170])
def test_a_ring_is_followed(degrees, generator):
    """The straight line costs up to 8.3; the way round costs nothing and is as long as the arc."""
    ends = around(degrees)
    result = track_valley(RING, *ends, ValleySettings(allowed=0.01))
    assert result.ended == "target"
    assert result.increase <= 0.01
    assert result.path.length == pytest.approx(math.radians(degrees), rel=0.25)  # it swings about the floor
    keeps_its_bounds(RING, result, ends[1])
    straight = measure_barrier(RING, connect_linearly(*ends), generator).increase
    assert straight == pytest.approx(10 * (1 - math.cos(math.radians(degrees) / 2)) ** 2)
    assert measure_barrier(RING, result.path, generator, 200).increase < 0.03 * straight


def test_the_increase_is_found_when_none_is_given():
    """A pass of height 1 must be climbed; straight on it would be 6."""
    ends = point(-1.0, 0.0), point(1.0, 0.0)
    result = track_valley(PASS, *ends)
    assert result.ended == "target"
    assert result.increase == pytest.approx(1, abs=0.02)
    keeps_its_bounds(PASS, result, ends[1])
    assert track_valley(RING, *around(170), ValleySettings(least=0.005, corrections=4)).increase < 0.01


@pytest.mark.parametrize("allowed", [0.0, 0.1, 0.5])
def test_a_pass_that_is_too_high_stalls_below_the_bound(allowed):
    ends = point(-1.0, 0.0), point(1.0, 0.0)
    result = track_valley(PASS, *ends, ValleySettings(allowed=allowed))
    assert result.ended == "stalled"
    assert result.increase <= allowed
    keeps_its_bounds(PASS, result, ends[1])


def test_a_resumed_tracking_equals_one_that_was_not_cut():
    """However often it was cut: before the first step, soon after it, and on the way."""
    ends, settings = (point(-1.0, 0.0), point(1.0, 0.0)), ValleySettings(longest=0.1, least=0.005, corrections=4)
    whole, part = track_valley(PASS, *ends, settings), None
    for cut in (3, 20, 100):
        part = track_valley(PASS, *ends, replace(settings, evaluations=cut), resume=part)
        assert part.ended == "evaluations"
        assert cut <= part.evaluations < whole.evaluations
    joined = track_valley(PASS, *ends, settings, resume=part)
    assert joined.losses == whole.losses
    assert (joined.level, joined.evaluations, joined.gradients) == (whole.level, whole.evaluations, whole.gradients)
    assert all(distance(a, b) == 0 for a, b in zip(joined.points, whole.points, strict=True))


@pytest.mark.parametrize(("surface", "allowed", "cut"), [(PASS, None, -math.inf), (RING, 0.02, 1e-3)])
def test_the_bound_holds_between_the_points_too(surface, allowed, cut):
    """Long steps cut across a ring, and then the bound does not hold there, unless the loss is evaluated there."""
    ends = around(120) if surface is RING else (point(-1.0, 0.0), point(1.0, 0.0))
    over = []
    for between in (0, 3):
        result = track_valley(
            surface, *ends, ValleySettings(allowed, longest=0.3, least=0.005, between=between, corrections=4)
        )
        assert result.ended == "target"
        keeps_its_bounds(surface, result, ends[1])
        inner = (interpolate(a, b, k / 4) for a, b in itertools.pairwise(result.points) for k in (1, 2, 3))
        highest = max(float(surface.losses(item).mean()) for item in inner)
        assert result.increase <= result.level
        over.append(highest - result.level)
    assert over[0] > cut
    assert over[1] <= 1e-12


def test_no_step_begins_when_time_is_over():
    result = track_valley(RING, *around(120), ValleySettings(seconds=0.0))
    assert (result.ended, len(result.points), result.gradients) == ("seconds", 1, 0)


def test_the_number_of_steps_is_bounded():
    result = track_valley(RING, *around(170), ValleySettings(allowed=0.01, longest=0.1, least=0.02))
    assert len(result.points) <= 51


def test_equal_ends_need_no_step():
    result = track_valley(BOWL, point(1.0, 1.0), point(1.0, 1.0))
    assert (result.ended, len(result.points), result.gradients) == ("target", 1, 0)


def test_the_valley_between_two_networks_lies_far_below_the_straight_line(generator):
    x = torch.randn(120, 6, generator=generator)
    batch = Batch(x, (x[:, 0] * x[:, 1] > 0).long())
    models = []
    for _ in range(2):
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
        for weight in model.parameters():
            nn.init.normal_(weight, generator=generator)
        learner = torch.optim.Adam(model.parameters(), 0.05)
        for _ in range(80):
            learner.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(model(x), batch.label))
            learner.step()
        models.append(params_of(model))
    surface = ModelLoss(model, batch)
    result = track_valley(surface, *models, ValleySettings(longest=0.05, least=0.005))
    assert result.ended == "target"
    keeps_its_bounds(surface, result, models[1])
    assert result.increase < 0.3 * measure_barrier(surface, connect_linearly(*models), generator).increase


def test_settings_and_ends_that_cannot_be_used():
    for setting in (
        {"allowed": -1.0},
        {"between": -1},
        {"least": 0.5},
        {"evaluations": 0},
        {"corrections": 0},
        {"rounds": 0},
        {"batch_size": 0},
    ):
        with pytest.raises(SettingError):
            ValleySettings(**setting)
    with pytest.raises(NonFiniteError, match="two ends"):
        track_valley(Formula(lambda x, y: x / 0), point(1.0, 0.0), point(2.0, 0.0))
