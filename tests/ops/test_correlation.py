import pytest
import torch
from scipy.stats import spearmanr

from perdure.ops.correlation import spearman
from tests.reference import place_loop


def rows(levels, seed=0):
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(2, 6, 12, generator=draw, dtype=torch.float64)
    values = (values * levels).round() / levels if levels else values
    mask = torch.arange(12) < torch.tensor([12, 9, 5, 3, 2, 1])[:, None]
    return values[0], values[1], mask


@pytest.mark.parametrize("levels", [None, 1, 2])
def test_equals_the_loop_on_valid_sites(levels):
    a, b, mask = rows(levels)
    expected = [place_loop.spearman(x[m].tolist(), y[m].tolist()) for x, y, m in zip(a, b, mask, strict=True)]
    assert spearman(a, b, mask).tolist() == pytest.approx(expected, abs=1e-12)


def test_equals_scipy_with_ties():
    a, b, _ = rows(2, seed=1)
    expected = [spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert spearman(a, b, torch.ones_like(a, dtype=torch.bool)).tolist() == pytest.approx(expected, abs=1e-12)


def test_constant_rows_are_like_each_other_and_nothing_else():
    flat, ramp = torch.zeros(1, 4), torch.arange(4.0)[None]
    everywhere = torch.ones(1, 4, dtype=torch.bool)
    assert spearman(flat, flat + 3, everywhere).item() == 1.0
    assert spearman(flat, ramp, everywhere).item() == spearman(ramp, flat, everywhere).item() == 0.0


def test_padding_may_hold_anything():
    a, b, mask = rows(None)
    assert torch.equal(spearman(a.masked_fill(~mask, 1e9), b.masked_fill(~mask, -7.0), mask), spearman(a, b, mask))
