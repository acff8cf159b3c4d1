"""Corrections descend, and never lead away from the target by more than the curvature of the sphere about it."""

import pytest
import torch

from perdure.landscape.direction import Corrector
from perdure.ops.params import distance
from tests.landscape.bowls import BOWL, PASS, Formula, point


def test_a_correction_goes_down_and_keeps_its_distance():
    start, target, length = point(-0.5, 0.2), point(1.0, 0.0), 0.05
    result = Corrector(PASS, target).descend(start, length)
    assert PASS.losses(result).item() < 0.75 * PASS.losses(start).item()
    across = length * (8 + 1) / 2
    assert distance(result, target) <= distance(start, target) + across**2 / 2 / distance(start, target)


def test_what_only_leads_away_is_dropped():
    """The bowl falls towards the origin, and the target lies right behind."""
    start = point(1.0, 0.0)
    assert distance(Corrector(BOWL, point(3.0, 0.0)).descend(start, 0.1), start) == 0


def test_a_flat_loss_moves_nothing():
    start = point(1.0, 2.0)
    assert distance(Corrector(Formula(lambda x, y: 0 * x), point(0.0, 0.0)).descend(start, 0.1), start) == 0


@pytest.mark.parametrize("before", [0, 3])
def test_few_samples_of_each_gradient_follow_from_those_before(before):
    arguments = []

    class Recording(Formula):
        def gradient(self, params, rows=None):
            arguments.append(rows)
            return super().gradient(params, rows)

    surface = Recording(lambda x, y: x**2 + y**2, shifts=(0.0,) * 6)
    corrector = Corrector(surface, point(0.0, 0.0), steps=3, batch_size=2)
    corrector.descend(point(1.0, 0.5), 0.1, before)
    corrector.descend(point(0.3, 0.1), 0.2, before + 3)
    assert sorted(torch.cat(arguments[:3]).tolist()) == list(range(6))
    assert all(torch.equal(first, two) for first, two in zip(arguments[:3], arguments[3:], strict=True))
