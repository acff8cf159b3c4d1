"""Rare feature: five features matter, in the middle half of the steps, for a function that is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from perdure.data._generated import draw_order
from perdure.data._rare import FEW, MIDDLE, SIZE, Rare

__all__ = ["RareFeature"]


@dataclass(frozen=True)
class RareFeature(Rare):
    r"""Autoregressive series of 50 steps and 50 features, and the sum of squares of 5 features in 25 steps.

    .. math:: x_t = -0.25 x_{t-1} - 0.10 x_{t-2} - 0.05 x_{t-3} + \epsilon_t, \quad
        f(x)_t = \sum_{i \in A} x_{t,i}^2 \text{ for } 12 \le t \le 36, \text{ else } 0

    A holds 5 features, drawn for each sample. No training is needed: `white_box` is the function. 5 % of the elements
    are true. Integrated gradients from zero are :math:`x^2` on the truth and 0 elsewhere, so that their AUPRC is 1.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        as_published: None for active features of each sample; "code" for those of a public implementation, which seeds
            its generator again for each sample, so that all samples have the same ones.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        crabbe2021explaining

    Example:
        >>> batch = RareFeature(train=1, validation=1, test=1).load(0).test
        >>> batch.truth.any(1).sum().item(), batch.truth.any(2).sum().item()
        (5, 25)
    """

    def activate(self, seeds: Int[Tensor, " sample"]) -> Bool[Tensor, "sample time feature"]:
        """Draw the active elements.

        Args:
            seeds: Seed of each sample.

        Returns:
            True at active elements.
        """
        active = torch.zeros(len(seeds), SIZE, SIZE, dtype=torch.bool)
        features = draw_order(seeds, "features", SIZE)[:, :FEW]
        rows = torch.zeros(len(seeds), SIZE, dtype=torch.bool).scatter_(1, features, True)
        active[:, MIDDLE] = rows[:, None]
        return active
