"""The closed form solves its problem: against a general solver, and by the conditions of an optimum."""

import numpy as np
import pytest
import torch

from perdure.landscape.direction import find_direction
from tests.reference import valley_direction


def vectors(size, generator):
    return torch.randn(2, size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("descent", [-0.6, 0.0, 0.3, 0.95])
@pytest.mark.parametrize("size", [2, 7])
def test_equals_a_general_solver(descent, size, generator):
    for _ in range(5):
        to, gradient = vectors(size, generator)
        expected = valley_direction.direction(to.numpy(), gradient.numpy(), descent)
        np.testing.assert_allclose(find_direction(to, gradient, descent), expected, atol=1e-5)  # the solver's own


@pytest.mark.parametrize("descent", [-1.0, -0.3, 0.0, 0.5, 0.99])
def test_no_direction_that_keeps_the_slope_is_closer_to_the_target(descent, generator):
    for _ in range(20):
        to, gradient = vectors(40, generator)
        result = find_direction(to, gradient, descent)
        assert float(result.norm()) == pytest.approx(1, abs=1e-12)
        assert float(result @ gradient / gradient.norm()) <= -descent + 1e-12
        rest = result + 0.1 * torch.randn(2000, 40, generator=generator, dtype=torch.float64)
        rest = rest / rest.norm(dim=1, keepdim=True)
        kept = rest[rest @ gradient / gradient.norm() <= -descent]
        assert (kept @ to <= result @ to + 1e-12).all()


def test_straight_on_where_that_is_steep_enough():
    to, gradient = torch.tensor([[3.0, 4.0], [-3.0, -4.0]], dtype=torch.float64)
    for descent in (-1.0, 0.0, 0.9):
        assert find_direction(to, gradient, descent).tolist() == pytest.approx([0.6, 0.8])
    assert find_direction(to, torch.zeros_like(to), 0.5).tolist() == pytest.approx([0.6, 0.8])


def test_straight_uphill_turns_round():
    to = torch.tensor([0.0, 2.0], dtype=torch.float64)
    assert find_direction(to, to, 0.5).tolist() == [0.0, -1.0]
