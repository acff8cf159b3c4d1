import math
from itertools import combinations

import pytest
import torch
from scipy.stats import spearmanr

from perdure.core.errors import EmptyDataError, SettingError, ShapeError
from perdure.ops.pairs import pair_correlation, pair_interval, pair_mean


def table(things, own, between, generator):
    """Numbers of pairs: a share of each of the two things, and noise."""
    share = own * torch.randn(things, generator=generator)
    noise = between * torch.randn(things, things, generator=generator).triu(1)
    return share[:, None] + share + noise + noise.T


def test_the_mean_is_that_of_the_upper_triangle():
    pairs = table(6, 1.0, 1.0, torch.Generator().manual_seed(0))
    expected = sum(pairs[i, j].item() for i, j in combinations(range(6), 2)) / 15
    assert pair_mean(pairs) == pytest.approx(expected, abs=1e-6)


def test_unknown_pairs_and_the_diagonal_are_left_out():
    pairs = torch.full((5, 5), 2.0).fill_diagonal_(100.0)
    pairs[0, 1] = pairs[1, 0] = torch.nan
    assert pair_mean(pairs) == 2.0
    assert pair_interval(pairs, torch.Generator()) == (2.0, 2.0)


def test_the_interval_knows_that_pairs_share_things():
    """With noise of the things alone the standard error is 2 s / sqrt(R); taken as independent it would be less."""
    draw = torch.Generator().manual_seed(0)
    widths = []
    for _ in range(40):
        low, high = pair_interval(table(30, 1.0, 0.0, draw), draw, draws=400)
        widths.append(high - low)
    expected = 2 * 1.96 * 2 / math.sqrt(30)
    assert sum(widths) / 40 == pytest.approx(expected, rel=0.1)


def test_the_interval_covers_the_mean():
    """At 95 %, with 20 things: in 300 draws at least 270 times, far more than intervals over pairs would."""
    draw = torch.Generator().manual_seed(1)
    inside = 0
    for _ in range(300):
        low, high = pair_interval(table(20, 1.0, 1.0, draw), draw, draws=300)
        inside += low <= 0 <= high
    assert inside >= 270


def test_two_things_have_no_interval():
    assert pair_interval(torch.ones(2, 2), torch.Generator()) is None


def test_what_has_no_mean_is_named():
    with pytest.raises(EmptyDataError):
        pair_mean(torch.ones(1, 1))
    with pytest.raises(ShapeError):
        pair_mean(torch.ones(2, 3))
    with pytest.raises(SettingError):
        pair_interval(torch.ones(3, 3), torch.Generator(), level=1.0)


def test_the_correlation_is_that_of_the_pairs_that_have_both():
    a, b = (table(8, 1.0, 1.0, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    a[0, 1] = a[1, 0] = b[2, 3] = b[3, 2] = torch.nan
    pairs = [(i, j) for i, j in combinations(range(8), 2) if (i, j) not in ((0, 1), (2, 3))]
    expected = spearmanr(*([some[pair].item() for pair in pairs] for some in (a, b))).statistic
    value, (low, high) = pair_correlation(a, b, torch.Generator())
    assert value == pytest.approx(expected, abs=1e-12)
    assert low < value < high


def test_numbers_that_fall_with_each_other_have_a_sure_correlation():
    a = table(8, 1.0, 1.0, torch.Generator().manual_seed(1))
    value, interval = pair_correlation(a, -a.exp(), torch.Generator())
    assert (value, *interval) == pytest.approx((-1.0, -1.0, -1.0))


def test_a_correlation_of_few_pairs_has_no_interval_and_of_equal_ones_no_value():
    ring = torch.full((5, 5), torch.nan)
    for i in range(5):
        ring[i, (i + 1) % 5] = ring[(i + 1) % 5, i] = float(i)
    value, interval = pair_correlation(ring, 2 * ring, torch.Generator())
    assert value == pytest.approx(1.0)
    assert interval is None
    assert math.isnan(pair_correlation(torch.ones(6, 6), table(6, 1, 1, torch.Generator()), torch.Generator())[0])
