"""Sign-flip tests and Holm's correction, with exact results."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perdure.ops.paired import compare_by_sign_flips, correct_by_holm


def test_the_p_value_is_that_of_all_signs(generator):
    values = torch.tensor([0.9, -0.1, 0.4, 0.3, 0.7, -0.2, 0.5])
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=len(values))))
    exact = ((signs @ values).abs() >= values.sum().abs() - 1e-6).double().mean().item()
    assert compare_by_sign_flips(values[:, None], generator).item() == pytest.approx(exact, abs=0.01)


def test_equal_methods_have_a_p_value_of_one(generator):
    assert compare_by_sign_flips(torch.zeros(9, 2), generator).tolist() == [1.0, 1.0]


def test_p_values_of_no_difference_are_uniform(generator):
    p = compare_by_sign_flips(torch.randn(20, 400, generator=generator), generator, draws=500)
    assert (p < 0.05).double().mean().item() == pytest.approx(0.05, abs=0.03)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_by_the_step_down_rule(values):
    rejected = correct_by_holm(torch.tensor(values, dtype=torch.float64)).tolist()
    expected, order = [False] * len(values), sorted(range(len(values)), key=values.__getitem__)
    for step, index in enumerate(order):
        if values[index] * (len(values) - step) > 0.05:
            break
        expected[index] = True
    assert sorted(zip(values, rejected, strict=True)) == sorted(zip(values, expected, strict=True))
