import itertools

import pytest
import torch

from perdure.core.errors import ShapeError
from perdure.ops.permutation import permutation_p


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("draws", [1, 2])
def test_it_equals_the_count_over_all_permutations(draws):
    every = torch.randn(draws + 1, 6, generator=generator(), dtype=torch.float64)
    means = [
        sum(row[i] for row, i in zip(every.T.tolist(), taken, strict=True))
        for taken in itertools.product(range(draws + 1), repeat=6)
    ]
    exact = sum(mean >= means[0] - 1e-9 for mean in means) / len(means)
    assert permutation_p(every[0], every[1:], generator()) == pytest.approx(exact, abs=0.02)


def test_many_samples_are_compared_with_a_normal_distribution():
    every = torch.randn(2, 1000, generator=generator(), dtype=torch.float64)
    few = permutation_p(every[0, :999], every[1:, :999], generator())
    assert permutation_p(every[0], every[1:], generator()) == pytest.approx(few, abs=0.03)
    assert permutation_p(every[0] + 1, every[1:], generator()) == pytest.approx(1e-4)
    assert permutation_p(every[0], every[:1], generator()) == 1.0


def test_draws_of_other_samples_are_refused():
    with pytest.raises(ShapeError, match=r"shape \(5,\) for 5 samples"):
        permutation_p(torch.zeros(5), torch.zeros(5), generator())
