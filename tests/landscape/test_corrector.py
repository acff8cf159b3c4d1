"""Corrections descend, and never lead away from the target by more than the curvature of the sphere about it."""

import pytest
import torch

from perdure.landscape.direction import Corrector
from perdure.ops.params import distance
from tests.landscape.bowls import BOWL, PASS, Formula, point


def test_a_correction_goes_down_and_keeps_its_distance():
    here, target, length = point(-0.5, 0.2), point(1.0, 0.0), 0.05
    found = Corrector(PASS, target).descend(here, length)
    assert PASS.losses(found).item() < 0.75 * PASS.losses(here).item()
    across = length * (8 + 1) / 2
    assert distance(found, target) <= distance(here, target) + across**2 / 2 / distance(here, target)


def test_what_only_leads_away_is_dropped():
    """The bowl falls towards the origin, and the target lies right behind."""
    here = point(1.0, 0.0)
    assert distance(Corrector(BOWL, point(3.0, 0.0)).descend(here, 0.1), here) == 0


def test_a_flat_loss_moves_nothing():
    here = point(1.0, 2.0)
    assert distance(Corrector(Formula(lambda x, y: 0 * x), point(0.0, 0.0)).descend(here, 0.1), here) == 0


@pytest.mark.parametrize("before", [0, 3])
def test_few_samples_of_each_gradient_follow_from_those_before(before):
    asked = []

    class Asked(Formula):
        def gradient(self, params, some=None):
            asked.append(some)
            return super().gradient(params, some)

    surface = Asked(lambda x, y: x**2 + y**2, shifts=(0.0,) * 6)
    corrector = Corrector(surface, point(0.0, 0.0), steps=3, batch_size=2)
    corrector.descend(point(1.0, 0.5), 0.1, before)
    corrector.descend(point(0.3, 0.1), 0.2, before + 3)
    assert sorted(torch.cat(asked[:3]).tolist()) == list(range(6))
    assert all(torch.equal(one, two) for one, two in zip(asked[:3], asked[3:], strict=True))
