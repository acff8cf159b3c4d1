import numpy as np
import pytest
import torch

from perdure.ops.curve import log_counts, resample, step_counts

TOTAL = torch.tensor([1, 2, 5, 64, 100])


@pytest.mark.parametrize("points", [1, 3, 7, 64, 200])
def test_counts_rise_from_nothing_to_the_total_in_nearly_equal_steps(points):
    counts, steps = step_counts(TOTAL, None, points)
    assert steps.tolist() == [min(total, points) for total in TOTAL.tolist()]
    for row, total, number in zip(counts.tolist(), TOTAL.tolist(), steps.tolist(), strict=True):
        sizes = np.diff(row[: number + 1])
        assert (row[0], row[number], row[-1]) == (0, total, total)
        assert sizes.min() >= 1
        assert sizes.max() - sizes.min() <= 1


def test_fixed_steps_end_with_a_shorter_one():
    counts, steps = step_counts(TOTAL[:3], 2, 64)
    assert counts.tolist() == [[0, 1, 1, 1], [0, 2, 2, 2], [0, 2, 4, 5]]
    assert steps.tolist() == [1, 1, 3]


def test_logarithmic_counts_are_whole_and_end_at_the_most():
    counts = log_counts(TOTAL, 10)
    assert counts[:, 0].tolist() == [1] * 5
    assert counts[:, -1].tolist() == TOTAL.tolist()
    assert (counts.diff(dim=1) >= 0).all()


def test_resampling_is_linear_interpolation():
    draw = torch.Generator().manual_seed(0)
    place = torch.rand(6, 9, generator=draw, dtype=torch.float64).sort(1).values
    place[:3, 6:] = place[:3, 6:7]  # curves that end early
    values = torch.rand(6, 9, generator=draw, dtype=torch.float64)
    values[:3, 6:] = values[:3, 6:7]
    result = resample(place, values, 20)
    for row, x, y in zip(result, place, values, strict=True):
        grid = np.linspace(x[0].item(), x[-1].item(), 21)
        assert row.tolist() == pytest.approx(np.interp(grid, x.numpy(), y.numpy()).tolist(), abs=1e-9)


def test_a_curve_of_one_knot_is_flat():
    assert resample(torch.zeros(1, 1), torch.full((1, 1), 3.0), 2).tolist() == [[3.0] * 3]
