import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.errors import ShapeError
from perdure.metrics.vanishing import Vanishing
from tests.metrics.attributions import series, trial_of
from tests.reference import metrics_loop


def measure_(values, lengths=None):
    mask = None if lengths is None else torch.arange(values.shape[1]) < torch.tensor(lengths)[:, None]
    return Vanishing().measure(trial_of(values, mask=mask))


@pytest.mark.parametrize("steps", [2, 7, 20, 100])
def test_index_of_the_last_step_a_flat_map_and_the_first_step(steps):
    values = torch.zeros(4, steps, 2)
    values[0, -1], values[1], values[2, 0] = 1.0, 1.0, 1.0
    assert measure_(values).values.tolist() == pytest.approx([1.0, 0.0, -1.0, 0.0], abs=1e-6)  # the fourth is zero


def test_a_single_step_has_nowhere_to_vanish():
    result = measure_(torch.ones(1, 5, 2), [1])
    assert result.values.item() == 0.0
    assert result.aux["slope"].item() == 0.0
    assert result.curve.tolist() == [pytest.approx([0.05] * 20)]


def test_the_slope_of_an_exponential_is_its_rate_and_ignores_scale_and_sign():
    distance = torch.arange(60.0).flip(0)
    values = torch.stack([math.pow(10, k) * (-rate * distance).exp() for k, rate in ((0, 0.0), (8, -0.1), (-8, 0.9))])
    slope = measure_(values[..., None] * torch.tensor([-1.0, 3.0])).aux["slope"]
    assert slope.tolist() == pytest.approx([0.0, 0.1, -0.9], abs=1e-5)


def test_the_profile_of_a_flat_map_is_flat_for_every_length():
    lengths = list(range(1, 48))
    result = measure_(torch.full((47, 50, 3), 2.0), lengths)
    torch.testing.assert_close(result.curve, torch.full((47, 20), 0.05))
    torch.testing.assert_close(result.aux["reach"], torch.full((47,), 0.25))
    torch.testing.assert_close(result.values, torch.zeros(47))


def test_reach_is_the_mass_of_the_earliest_quarter():
    values = torch.zeros(1, 40, 1)
    values[0, :10], values[0, 10:] = 3.0, 1.0
    assert measure_(values).aux["reach"].item() == pytest.approx(0.5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_equals_the_loop(seed):
    values, _, mask = series(seed, steps=30)
    result = Vanishing().measure(trial_of(values, mask=mask))
    for i in range(len(values)):
        index, profile, slope = metrics_loop.vanishing(values[i][mask[i]].tolist())
        assert result.values[i].item() == pytest.approx(index, abs=1e-12)
        assert result.curve[i].tolist() == pytest.approx(profile, abs=1e-12)
        assert result.aux["slope"][i].item() == pytest.approx(slope, abs=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_turning_time_round_turns_index_and_profile_round(seed):
    values, _, _ = series(seed, steps=13)
    there, back = measure_(values), measure_(values.flip(1))
    torch.testing.assert_close(back.values, -there.values)
    torch.testing.assert_close(back.curve, there.curve.flip(1))
    torch.testing.assert_close(there.curve.sum(1), torch.ones(4, dtype=torch.float64))


def test_a_map_that_is_no_series_is_refused():
    with pytest.raises(ShapeError, match=r"the map has shape \(2, 3\)"):
        measure_(torch.ones(2, 3))
