import math
from itertools import combinations

import pytest
import torch
from scipy.stats import spearmanr

from perdure.core.errors import EmptyDataError, SettingError, ShapeError
from perdure.ops.bootstrap import bootstrap_interval, pair_correlation, pair_interval, pair_mean


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_interval_of_normal_values_is_two_standard_errors_wide():
    values = torch.randn(400, generator=generator(1)).double()
    low, high = bootstrap_interval(values, generator(), draws=4000)
    mean, error = values.mean().item(), values.std().item() / 20
    assert low.item() == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high.item() == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_it_covers_the_true_mean_about_as_often_as_its_level():
    samples = torch.rand(200, 60, generator=generator(2))
    covered = 0
    for row in samples:
        low, high = bootstrap_interval(row, generator(), draws=300, level=0.9)
        covered += bool(low <= 0.5 <= high)
    assert 0.84 <= covered / 200 <= 0.95  # 0.9 +- 2.5 standard errors


def test_a_curve_gets_one_interval_per_point():
    rows = torch.stack([torch.zeros(50), torch.arange(50.0)], dim=1)
    low, high = bootstrap_interval(rows, generator())
    assert low[0] == high[0] == 0
    assert low[1] < 24.5 < high[1]
    torch.testing.assert_close(low[1], bootstrap_interval(rows[:, 1], generator())[0])


def test_many_samples_are_drawn_in_parts_from_one_stream(monkeypatch):
    values = torch.rand(30, generator=generator(3))
    whole = bootstrap_interval(values, generator())
    monkeypatch.setattr("perdure.ops.bootstrap.ROWS", 100)
    assert bootstrap_interval(values, generator()) == whole


def test_the_stream_decides_and_the_global_one_is_left_alone():
    values, state = torch.rand(30, generator=generator(4)), torch.get_rng_state()
    assert bootstrap_interval(values, generator(5)) == bootstrap_interval(values, generator(5))
    assert bootstrap_interval(values, generator(5)) != bootstrap_interval(values, generator(6))
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_to_resample_is_refused():
    with pytest.raises(EmptyDataError, match="no value"):
        bootstrap_interval(torch.zeros(0), generator())


@pytest.mark.parametrize(("draws", "level"), [(0, 0.95), (10, 1.0), (10, 95)])
def test_a_wrong_level_or_number_of_draws_is_refused(draws, level):
    with pytest.raises(SettingError, match="draws"):
        bootstrap_interval(torch.zeros(3), generator(), draws, level)


def table(things, own, between, generator):
    """Numbers of pairs: a contribution of each of the two things, and noise."""
    fraction = own * torch.randn(things, generator=generator)
    noise = between * torch.randn(things, things, generator=generator).triu(1)
    return fraction[:, None] + fraction + noise + noise.T


def test_the_mean_is_that_of_the_upper_triangle():
    pairs = table(6, 1.0, 1.0, torch.Generator().manual_seed(0))
    expected = sum(pairs[i, j].item() for i, j in combinations(range(6), 2)) / 15
    assert pair_mean(pairs) == pytest.approx(expected, abs=1e-6)


def test_unknown_pairs_and_the_diagonal_are_left_out():
    pairs = torch.full((5, 5), 2.0).fill_diagonal_(100.0)
    pairs[0, 1] = pairs[1, 0] = torch.nan
    assert pair_mean(pairs) == 2.0
    assert pair_interval(pairs, torch.Generator()) == (2.0, 2.0)


def test_the_interval_accounts_for_things_in_several_pairs():
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
    expected = spearmanr(*([group[pair].item() for pair in pairs] for group in (a, b))).statistic
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
