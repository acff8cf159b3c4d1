"""The band settles on floors that are known, with its pivots where they belong along it."""

import itertools
import math

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError
from perdure.landscape.band import BandSettings, project_across, redistribute, relax_band
from perdure.landscape.barrier import measure_barrier
from perdure.landscape.path import connect_linearly
from perdure.landscape.surface import ModelLoss
from perdure.ops.params import distance, params_of
from tests.landscape.bowls import BOWL, PASS, RING, point


def test_the_band_climbs_over_the_pass_where_it_is_lowest(generator):
    """The floor is y = 1 - x^2, whose highest point costs 1; straight on it is 6."""
    result = relax_band(PASS, point(-1.0, 0.0), point(1.0, 0.0), generator, BandSettings(5, 60, 0.1, insertions=0))
    for pivot in result.points:
        x, y = float(pivot["x"]), float(pivot["y"])
        assert y == pytest.approx(1 - x * x, abs=0.1)
    assert measure_barrier(PASS, result, generator).increase == pytest.approx(1, abs=0.1)


def test_pivots_are_as_far_apart_as_they_were(generator):
    angle = math.radians(150)
    result = relax_band(
        RING, point(1.0, 0.0), point(math.cos(angle), math.sin(angle)), generator, BandSettings(4, 40, 0.1)
    )
    steps = [distance(a, b) for a, b in itertools.pairwise(result.points)]
    fractions = [step / sum(steps) for step in steps]
    assert len(result.points) == 2 + 4 + 2
    assert fractions == pytest.approx(
        [round(10 * fraction) / 10 for fraction in fractions], abs=0.01
    )  # fifths, two of them halved
    assert measure_barrier(RING, result, generator).increase < 0.05 * 10 * (1 - math.cos(angle / 2)) ** 2


def test_a_pivot_is_put_where_the_loss_between_is_highest(generator):
    """Of one pivot the ring costs most in the middle of either piece; each further one halves what is left."""
    angle = math.radians(170)
    ends = point(1.0, 0.0), point(math.cos(angle), math.sin(angle))
    costs = [
        measure_barrier(
            RING, relax_band(RING, *ends, generator, BandSettings(1, 40, 0.1, insertions=k)), generator, 49
        ).increase
        for k in (0, 1, 2)
    ]
    assert costs[2] < 0.5 * costs[0]


def test_a_bowl_is_no_reason_to_keep_straight_but_never_costs(generator):
    result = relax_band(BOWL, point(-1.0, 0.5), point(2.0, -0.5), generator, BandSettings(3, 30))
    assert measure_barrier(BOWL, result, generator).height == pytest.approx(0, abs=1e-9)


def test_only_what_is_at_right_angles_to_the_band_is_left():
    points = torch.tensor([[0.0, 0.0], [5.0, 1.0], [2.0, 0.0]])
    assert project_across(torch.tensor([[3.0, 4.0]]), points).tolist() == [[0.0, 4.0]]
    assert project_across(torch.tensor([[3.0, 4.0]]), torch.zeros(3, 2)).tolist() == [[3.0, 4.0]]


def test_points_are_set_back_along_the_chain():
    points = torch.tensor([[0.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
    moved = redistribute(points, torch.tensor([0.0, 0.25, 1.0]))
    assert moved.tolist() == [[0.0, 0.0], [0.0, 2.0], [4.0, 4.0]]
    same = torch.zeros(3, 2)
    assert torch.equal(redistribute(same, torch.tensor([0.0, 0.5, 1.0])), same)


def test_ends_are_exact_and_the_same_stream_gives_the_same_band(generator):
    x = torch.randn(30, 4, generator=generator)
    surface = ModelLoss(nn.Linear(4, 2), Batch(x, (x[:, 0] > 0).long()))
    ends = [
        {name: torch.randn(w.shape, generator=generator) for name, w in params_of(surface.model).items()} for _ in "ab"
    ]
    settings = BandSettings(2, steps=5, batch_size=7, insertions=1)
    first, two, other = (
        relax_band(surface, *ends, torch.Generator().manual_seed(seed), settings) for seed in (0, 0, 1)
    )
    assert (distance(first.at(0.0), ends[0]), distance(first.at(1.0), ends[1])) == (0, 0)
    assert all(distance(a, b) == 0 for a, b in zip(first.points, two.points, strict=True))
    assert distance(first.points[1], other.points[1]) > 0
    assert distance(first.points[1], connect_linearly(*ends).at(0.25)) > 0


def test_what_cannot_be_relaxed(generator):
    for setting in ({"pivots": 0}, {"steps": 0}, {"learning_rate": 0.0}, {"insertions": -1}):
        with pytest.raises(SettingError):
            BandSettings(**setting)
    with pytest.raises(ShapeError):
        relax_band(PASS, point(0.0, 0.0), {"x": torch.zeros(1)}, generator)
