import pytest
import torch

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


@pytest.mark.parametrize("name", BASELINES)
def test_dtype_stays_and_nothing_is_written(name):
    before = X.clone()
    assert baseline_of(name, X.double(), MASK).dtype == torch.float64
    assert torch.equal(X, before)
