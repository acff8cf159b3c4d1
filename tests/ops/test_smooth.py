"""Smoothing by matrices against convolution after reflection."""

import pytest
import torch
from torch.nn.functional import conv2d, pad

from perdure.ops.smooth import smooth_images


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_it_is_a_convolution_with_reflected_ends(sigma):
    x = torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    reach = round(2 * sigma)
    line = (-0.5 * (torch.arange(-reach, reach + 1).double() / sigma) ** 2).exp()
    kernel = (line[:, None] * line) / line.sum() ** 2
    slow = conv2d(pad(x.flatten(0, 1)[:, None], [reach] * 4, "reflect"), kernel[None, None])[:, 0]
    torch.testing.assert_close(smooth_images(x, sigma), slow.view_as(x))


def test_an_image_smaller_than_the_window_keeps_its_mean():
    x = torch.rand(1, 1, 1, 2, generator=torch.Generator().manual_seed(0))
    assert smooth_images(x, 3.0).mean() == pytest.approx(x.mean())


def test_without_smoothing_it_is_the_same_tensor():
    x = torch.rand(1, 1, 3, 3)
    assert smooth_images(x, 0.0) is x
