"""Moments in batches against numpy."""

import numpy as np
import pytest
import torch

from perdure.ops.moments import merge_moments, moments_of
from perdure.ops.sequence import length_mask, site_mask


@pytest.mark.parametrize("shape", [(40, 3), (40, 2, 5, 4)])
@pytest.mark.parametrize("cuts", [[40], [1, 39], [7, 8, 9, 16]])
def test_cuts_do_not_matter(shape, cuts):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).relu() + 1e4
    result = merge_moments([moments_of(part) for part in torch.split(x, cuts)])
    np.testing.assert_allclose(result.mean, x.double().numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(result.std, x.double().numpy().std(0, ddof=1), rtol=1e-9)
    assert result.count == 40


def test_a_series_is_seen_step_by_step_without_its_padding():
    x = torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(0))
    mask = length_mask(torch.tensor([6, 1, 3]), 6)
    x = x.masked_fill(~mask[..., None], 99.0)
    result, steps = moments_of(x, site_mask(mask, x)), x[mask].double().numpy()
    assert result.count == 10
    np.testing.assert_allclose(result.mean, steps.mean(0))
    np.testing.assert_allclose(result.std, steps.std(0, ddof=1))


def test_what_is_nearly_always_zero_is_counted():
    x = torch.zeros(200, 2)
    x[0, 1] = 1.0
    assert moments_of(x).active.tolist() == [0.0, 0.005]
