import math
from itertools import combinations

import pytest
import torch

from perdure.core.errors import EmptyDataError, SettingError, ShapeError
from perdure.ops.pairs import pair_interval, pair_mean


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
    assert all(math.isnan(end) for end in pair_interval(torch.ones(2, 2), torch.Generator()))


def test_what_has_no_mean_is_named():
    with pytest.raises(EmptyDataError):
        pair_mean(torch.ones(1, 1))
    with pytest.raises(ShapeError):
        pair_mean(torch.ones(2, 3))
    with pytest.raises(SettingError):
        pair_interval(torch.ones(3, 3), torch.Generator(), level=1.0)
