import math

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.ops.baseline import BASELINES, baseline_of

X = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [50.0, 90.0]], [[1.0, 1.0], [1.0, 1.0], [4.0, 4.0]]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


def test_zero_is_zero_where_valid_and_leaves_padding():
    assert baseline_of("zero", X, MASK)[0].tolist() == [[0, 0], [0, 0], [50, 90]]


def test_mean_is_of_each_samples_valid_sites():
    found = baseline_of("mean", X, MASK)
    assert found[0, :2].flatten().tolist() == [3.0] * 4
    assert found[1].flatten().tolist() == [2.0] * 6
    assert baseline_of("mean", X)[0, 0, 0].item() == pytest.approx(152 / 6)


def weight(distance):
    return math.exp(-(distance**2) / 50) if distance <= 15 else 0.0


def test_blur_is_a_gaussian_mean_over_valid_steps():
    x = torch.randn(1, 40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = baseline_of("blur", x, torch.arange(40)[None] < 33)
    for t in (0, 7, 32):
        weights = torch.tensor([weight(abs(t - k)) for k in range(33)], dtype=torch.float64)
        torch.testing.assert_close(found[0, t], weights @ x[0, :33] / weights.sum())
    assert torch.equal(found[0, 33:], x[0, 33:])


def test_blur_of_an_image_runs_along_rows_and_columns_of_each_channel():
    x = torch.randn(1, 2, 20, 18, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows, columns = (torch.tensor([weight(abs(4 - k)) for k in range(size)]).to(x) for size in (20, 18))
    expected = torch.einsum("crk,r,k->c", x[0], rows, columns) / (rows.sum() * columns.sum())
    torch.testing.assert_close(baseline_of("blur", x)[0, :, 4, 4], expected)


def test_a_table_cannot_be_blurred():
    with pytest.raises(SettingError, match="no neighbours"):
        baseline_of("blur", torch.zeros(2, 3))


def test_noise_has_the_moments_of_the_valid_sites_and_belongs_to_the_sample():
    x = torch.full((2, 4000, 2), 50.0)
    x[:, :3000, 0], x[:, :3000, 1] = 1.0, 5.0  # mean 3, deviation 2
    mask = (torch.arange(4000) < 3000).expand(2, -1)
    found = baseline_of("noise", x, mask, torch.tensor([1, 2]))
    assert found[:, :3000].mean().item() == pytest.approx(3.0, abs=0.1)
    assert found[:, :3000].std().item() == pytest.approx(2.0, abs=0.1)
    assert torch.equal(baseline_of("noise", x[1:, :3000], None, torch.tensor([2]))[0], found[1, :3000])
    assert not torch.equal(found[0], found[1])
    without = baseline_of("noise", x, mask)
    assert torch.equal(without[0], without[1])  # the fixed stream


@pytest.mark.parametrize("name", BASELINES)
def test_dtype_stays_and_nothing_is_written(name):
    before = X.clone()
    assert baseline_of(name, X.double(), MASK).dtype == torch.float64
    assert torch.equal(X, before)
