"""Carrier processes, against their literal recursions."""

import pytest
import torch

from perdure.data._processes import narma


def documented_recursion(u, n, steps, c=(0.3, 0.05, 1.5, 0.1)):
    """The recursion as documented_recursion, with u indexed from -n."""
    y = [0.0] * steps
    for k in range(steps - 1):
        memory = sum(y[k - i] for i in range(n) if k - i >= 0)
        y[k + 1] = c[0] * y[k] + c[1] * y[k] * memory + c[2] * u[k - n + 1 + n] * u[k + n] + c[3]
    return y


def implemented_recursion(u, n, steps, c=(0.3, 0.05, 1.5, 0.1)):
    """The recursion as implemented by the package that published datasets use."""
    y = [0.0] * steps
    for k in range(1, steps):
        y[k] = c[0] * y[k - 1] + c[2] * u[k - n + n] * u[k + n] + c[3]
    return y


@pytest.mark.parametrize("order", [2, 10])
def test_narma_is_its_recursion(order):
    draws = torch.rand(3, 40 + order, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for nonlinear, reference in ((True, documented_recursion), (False, implemented_recursion)):
        result = narma(draws, order, nonlinear=nonlinear)
        for row, values in zip(draws.tolist(), result.tolist(), strict=True):
            assert values == pytest.approx(reference([item / 2 for item in row], order, 40))


def test_the_implementation_has_the_measured_mean():
    draws = torch.rand(200, 210, generator=torch.Generator().manual_seed(0))
    values = narma(draws, 10, nonlinear=False)[:, 20:]
    assert 0.26 < values.mean() < 0.30
    assert 0.07 < values.std() < 0.1
