import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from perdure.ops.correlation import pearson, spearman
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


A, B = torch.randn(2, 5, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_pearson_equals_numpy():
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(A, B, strict=True)]
    assert pearson(A, B).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_pearson_ignores_scale_and_offset(scale):
    torch.testing.assert_close(pearson(scale * A, 3 - B), -pearson(A, B))


def test_pearson_treats_rounding_as_no_variation():
    level = torch.full((1, 30), 7.3)
    rounded = level * (1 + torch.finfo(torch.float32).eps * torch.arange(30).remainder(3))
    assert not torch.equal(rounded, level)
    assert pearson(A[:1], rounded).item() == 0.0
    assert pearson(A[:1], torch.zeros(1, 30)).item() == 0.0
    assert pearson(A[:1], rounded.double()).item() != 0.0
