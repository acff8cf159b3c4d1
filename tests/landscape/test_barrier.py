"""Barriers of known height, and the noise of a mean with known standard error."""

import pytest
import torch

from perdure.landscape.barrier import estimate_standard_error, measure_barrier
from perdure.landscape.path import connect_linearly
from tests.landscape.bowls import BOWL, PASS, Formula, point


def test_a_convex_bowl_has_no_barrier(generator):
    result = measure_barrier(BOWL, connect_linearly(point(-1.0, 2.0), point(3.0, 0.5)), generator)
    assert result.height == 0
    assert result.increase == 0
    assert result.inside_noise


def test_the_height_over_a_pass_by_hand(generator):
    result = measure_barrier(PASS, connect_linearly(point(-1.0, 0.0), point(1.0, 0.0)), generator)
    assert (result.height, result.increase, result.top) == pytest.approx((6.0, 6.0, 0.5))
    assert result.losses[0] == result.losses[-1] == 0
    assert len(result.t) == 25


def test_an_end_that_is_worse_counts_for_the_increase_alone(generator):
    hill = Formula(lambda x, _: x + 4 * x * (1 - x))
    result = measure_barrier(hill, connect_linearly(point(0.0, 0.0), point(1.0, 0.0)), generator, points=41)
    assert result.height == pytest.approx(1)
    assert result.increase == pytest.approx(0.625**2 * 4 - 1)


def test_shifts_common_to_both_ends_are_no_noise(generator):
    """The difference is paired, so what makes a sample hard at every point does not count."""
    hard = Formula(PASS.function, shifts=tuple(range(100)))
    assert measure_barrier(hard, connect_linearly(point(-1.0, 0.0), point(1.0, 0.0)), generator).noise == pytest.approx(
        0, abs=1e-12
    )


def test_the_bootstrap_finds_the_standard_error_of_a_mean(generator):
    values = torch.randn(400, generator=generator, dtype=torch.float64)
    known = float(values.std(correction=0)) / 20
    assert estimate_standard_error(values, generator, 2000) == pytest.approx(
        known, rel=0.06
    )  # four times 1 / sqrt(2 * 2000)


def test_a_barrier_of_chance_is_inside_the_noise(generator):
    noise = torch.randn(200, generator=generator, dtype=torch.float64)
    shaken = Formula(lambda x, _: 4 * x * (1 - x) * (noise - noise.mean() + 0.01), shifts=(0.0,) * 200)
    result = measure_barrier(shaken, connect_linearly(point(0.0, 0.0), point(1.0, 0.0)), generator)
    assert result.height == pytest.approx(0.01)
    assert result.inside_noise
