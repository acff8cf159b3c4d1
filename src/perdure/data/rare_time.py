"""Rare time: five steps matter, in the middle half of the features, for a function that is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from perdure.data._generated import draw_integers
from perdure.data._rare import FEW, MIDDLE, SIZE, Rare

__all__ = ["RareTime"]


@dataclass(frozen=True)
class RareTime(Rare):
    r"""Autoregressive series of 50 steps and 50 features, and the sum of squares of 25 features in 5 steps.

    .. math:: x_t = -0.25 x_{t-1} - 0.10 x_{t-2} - 0.05 x_{t-3} + \epsilon_t, \quad
        f(x)_t = \sum_{i=12}^{36} x_{t,i}^2 \text{ for } s \le t < s + 5, \text{ else } 0

    The first step s is drawn for each sample. No training is needed: `white_box` is the function. 5 % of the elements
    are true. Integrated gradients from zero are :math:`x^2` on the truth and 0 elsewhere, so that their AUPRC is 1.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        as_published: None for active steps of each sample; "code" for those of a public implementation, which seeds
            its generator again for each sample, so that all samples have the same ones.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        crabbe2021explaining

    Example:
        >>> batch = RareTime(train=1, validation=1, test=1).load(0).test
        >>> batch.truth.any(1).sum().item(), batch.truth.any(2).sum().item()
        (25, 5)
    """

    def activate(self, seeds: Int[Tensor, " sample"]) -> Bool[Tensor, "sample time feature"]:
        """Draw the active elements.

        Args:
            seeds: Seed of each sample.

        Returns:
            True at active elements.
        """
        after = torch.arange(SIZE) - draw_integers(seeds, "start", 0, SIZE - FEW)[:, None]
        active = torch.zeros(len(seeds), SIZE, SIZE, dtype=torch.bool)
        active[:, :, MIDDLE] = ((after >= 0) & (after < FEW))[..., None]
        return active
