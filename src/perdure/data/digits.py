"""The small handwritten digits of scikit-learn, read row by row."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from perdure.core.batch import Batch
from perdure.data._splits import Splits, split

__all__ = ["Digits"]


@dataclass(frozen=True)
class Digits:
    """Handwritten digits of 8x8 pixels as series of 8 steps, one row of 8 features each.

    1797 samples that come with scikit-learn, so nothing is downloaded: a small substitute for `mnist_series`.
    Inputs are ink from 0 to 1 in sixteenths; the truth is every pixel with any ink.

    Reference:
        alpaydin1998optical

    Example:
        >>> splits = Digits().load(0)
        >>> len(splits.train), len(splits.validation), len(splits.test)
        (1078, 360, 359)
        >>> tuple(splits.test.inputs.shape)
        (359, 8, 8)
    """

    def load(self, seed: int) -> Splits:
        """Read the digits and split them.

        Args:
            seed: Seed of the split.

        Returns:
            60 % training, 20 % validation and 20 % test samples, classes in proportion.
        """
        from sklearn.datasets import load_digits

        images, label = load_digits().images, load_digits().target
        inputs = torch.from_numpy(images).float() / 16
        batch = Batch(inputs, torch.from_numpy(label).long(), truth=inputs > 0)
        return split(batch, tuple("0123456789"), seed)
