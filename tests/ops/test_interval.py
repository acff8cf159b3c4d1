import pytest
import torch

from perdure.core.errors import EmptyDataError, SettingError
from perdure.ops.interval import bootstrap_interval


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_interval_of_normal_values_is_two_standard_errors_wide():
    values = torch.randn(400, generator=generator(1)).double()
    low, high = bootstrap_interval(values, generator(), draws=4000)
    mean, error = values.mean().item(), values.std().item() / 20
    assert low.item() == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high.item() == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_it_covers_the_true_mean_about_as_often_as_it_says():
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
    monkeypatch.setattr("perdure.ops.interval.ROWS", 100)
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
