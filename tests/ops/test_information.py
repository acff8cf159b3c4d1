"""Information of a bottleneck: closed-form divergences, slopes and limits."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from perdure.ops.information import Mask, capacity, capacity_slope, mask_from_logits


def draw_values(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def divergence(keep, x, m, mean=0.0, std=1.0):
    z = Normal(keep * x + (1 - keep) * mean, (1 - keep) * std)
    prior = Normal(keep * m * x + (1 - keep * m) * mean, (1 - keep * m) * std)
    return kl_divergence(z, prior)


@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_it_is_the_divergence_of_two_gaussians(mean):
    x, keep, m = (
        3 * draw_values(5000),
        draw_values(5000, seed=1).mul(4).sigmoid(),
        draw_values(5000, seed=2).mul(3).sigmoid(),
    )
    scaled = (x - mean) / 1.7
    for prior, fraction in ((None, torch.zeros(5000)), (Mask(m, 1 - m), m)):
        away = capacity(Mask(keep, 1 - keep), scaled, prior) - divergence(keep, x, fraction, mean, 1.7)
        assert away.abs().max() < 1e-10


def test_the_slope_is_the_derivative():
    logit, x = (3 * draw_values(500)).requires_grad_(), draw_values(500, seed=1)
    for prior in (None, mask_from_logits(2 * draw_values(500, seed=2))):
        (slope,) = torch.autograd.grad(capacity(mask_from_logits(logit), x, prior).sum(), logit)
        mask = mask_from_logits(logit.detach())
        result = capacity_slope(mask, x, prior) * mask.keep * mask.drop
        torch.testing.assert_close(result, slope, rtol=1e-8, atol=1e-12)


def test_a_prior_makes_it_cheaper_down_to_nothing():
    x, keep = torch.ones(4, dtype=torch.float64), mask_from_logits(torch.full((4,), 0.9, dtype=torch.float64).logit())
    m = torch.tensor([0.0, 0.5, 0.9, 0.99], dtype=torch.float64)
    assert [round(c, 2) for c in capacity(keep, x, Mask(m, 1 - m)).tolist()] == [2.21, 1.56, 0.39, 0.01]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_finite_and_not_negative_at_any_logit(dtype):
    logits = torch.linspace(-300, 300, 601, dtype=dtype)
    for x in (0.0, 1e-3, 5.0):
        for prior in (None, mask_from_logits(logits.flip(0)), mask_from_logits(logits)):
            result = capacity(mask_from_logits(logits), torch.full_like(logits, x), prior)
            assert result.isfinite().all()
            assert (result >= 0).all()
            assert capacity_slope(mask_from_logits(logits), torch.full_like(logits, x), prior).isfinite().all()


def test_a_small_share_keeps_its_digits_in_single_precision():
    logit = torch.linspace(-12, -2, 50)
    exact = capacity(mask_from_logits(logit.double()), torch.tensor(2.0).double())
    torch.testing.assert_close(
        capacity(mask_from_logits(logit), torch.tensor(2.0)).double(), exact, rtol=1e-2, atol=1e-12
    )
