import pytest
import torch

from perdure.ops.ssim import ssim
from tests.reference import place_loop


def images(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equals_the_loop_over_windows():
    a, b = images(0, 3, 1, 8, 9), images(1, 3, 1, 8, 9)
    expected = [place_loop.ssim(x.numpy(), y.numpy()) for x, y in zip(a[:, 0], b[:, 0], strict=True)]
    assert ssim(a, b).tolist() == pytest.approx(expected, abs=1e-12)


def test_equal_images_score_one_and_order_does_not_matter():
    a, b = images(2, 2, 3, 7, 7), images(3, 2, 3, 7, 7)
    assert ssim(a, a).tolist() == pytest.approx([1.0, 1.0])
    torch.testing.assert_close(ssim(a, b), ssim(b, a))


def test_constant_images_have_a_closed_form():
    a, b = torch.full((1, 1, 6, 6), 0.2), torch.full((1, 1, 6, 6), 0.8)
    assert ssim(a, b).item() == pytest.approx((2 * 0.16 + 1e-4) / (0.04 + 0.64 + 1e-4), rel=1e-6)


def test_a_negative_has_a_closed_form():
    """One window with mean 1/2: the level is equal, the covariance is minus the variance."""
    a = images(4, 1, 1, 5, 5)
    a = a - a.mean() + 0.5
    variance = a.flatten().var().item()
    assert ssim(a, 1 - a).item() == pytest.approx((9e-4 - 2 * variance) / (9e-4 + 2 * variance))


def test_channels_are_averaged_and_small_images_are_one_window():
    a, b = images(5, 1, 2, 3, 4), images(6, 1, 2, 3, 4)
    apart = [ssim(a[:, c : c + 1], b[:, c : c + 1]).item() for c in range(2)]
    assert ssim(a, b).item() == pytest.approx(sum(apart) / 2)
