"""Structural similarity of images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

__all__ = ["ssim"]

WINDOW = 5
"""Rows and columns of the sliding window, as in the sanity check of InputIBA."""


def ssim(
    a: Float[Tensor, "batch channel row column"], b: Float[Tensor, "batch channel row column"], reach: float = 1.0
) -> Float[Tensor, " batch"]:
    r"""Compare mean, spread and structure of two images in every window.

    .. math:: \frac{(2 \mu_a \mu_b + C_1)(2 \sigma_{ab} + C_2)}
        {(\mu_a^2 + \mu_b^2 + C_1)(\sigma_a^2 + \sigma_b^2 + C_2)}, \quad C_1 = (0.01 L)^2, \; C_2 = (0.03 L)^2

    Windows are flat, 5 by 5 or the whole of a smaller image, and lie inside the image; variances are those of a
    sample (divided by n - 1). The value is the mean over windows and channels: 1 for equal images.

    Args:
        a: Images to compare.
        b: Images of the same shape.
        reach: Range L of their values.

    Returns:
        The similarity, in [-1, 1], in double precision.

    Reference:
        wang2004image

    Example:
        >>> import torch
        >>> a, b = torch.full((1, 1, 8, 8), 0.5), torch.full((1, 1, 8, 8), 1.0)
        >>> round(ssim(a, b).item(), 6) == round((2 * 0.5 + 1e-4) / (0.25 + 1 + 1e-4), 6)
        True
    """
    a, b = a.double(), b.double()
    window = (min(WINDOW, a.shape[2]), min(WINDOW, a.shape[3]))
    size = window[0] * window[1]
    sample = size / max(size - 1, 1)
    means = [avg_pool2d(image, window, stride=1) for image in (a, b, a * a, b * b, a * b)]
    mean_a, mean_b, aa, bb, ab = means
    spread = sample * (aa - mean_a**2 + bb - mean_b**2)
    common = sample * (ab - mean_a * mean_b)
    c1, c2 = (0.01 * reach) ** 2, (0.03 * reach) ** 2
    level = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (level * (2 * common + c2) / (spread + c2)).flatten(1).mean(1)
