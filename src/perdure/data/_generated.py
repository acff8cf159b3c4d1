"""What datasets made from a rule share: splits of independent samples, and the numbers to read a score by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.core.errors import DataError
from perdure.core.random import child_seeds, normal, stream, sub_seeds, uniform
from perdure.core.spec import name_of
from perdure.data._parts import PARTS
from perdure.data._splits import Splits
from perdure.ops.sequence import site_mask

__all__ = ["Facts", "Generated", "draw_integers", "draw_normal", "draw_order", "draw_poisson", "draw_uniform"]

LARGEST_COUNT = 100
"""Largest count that a Poisson draw returns; with rates up to 10 the probability of more is below 1e-60."""

DOUBLE = torch.zeros((), dtype=torch.float64)


@dataclass(frozen=True)
class Facts:
    """Numbers without which no score on a dataset has a meaning.

    Args:
        prevalence: Fraction of true elements, which is the AUPRC of a random ranking; over the samples with a truth.
        base_rate: Fraction of the most frequent class, the accuracy of a constant prediction.
        ideal_accuracy: Accuracy of the ideal predictor; None where it has no closed form.
    """

    prevalence: float
    base_rate: float
    ideal_accuracy: float | None


@dataclass(frozen=True)
class Generated(ABC):
    """Splits of samples that are drawn independently, each from a seed that depends on its place alone.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.

    Raises:
        SettingError: For a setting out of range.
    """

    classes: ClassVar[tuple[str, ...]] = ("negative", "positive")

    train: int = 800
    validation: int = 100
    test: int = 200

    def __post_init__(self) -> None:
        check_counts(train=self.train, validation=self.validation, test=self.test)

    def load(self, seed: int) -> Splits:
        """Draw the splits; a sample depends on the seed, its split and its place, not on the number of samples.

        Args:
            seed: Seed of all splits.

        Returns:
            The splits, with truth.
        """
        train, validation, test = (self._draw_named(part, seed) for part in PARTS)
        return Splits(train, validation, test, self.classes)

    @abstractmethod
    def draw(self, seeds: Int[Tensor, " sample"]) -> Batch:
        """Draw samples.

        Args:
            seeds: Seed of each sample.

        Returns:
            The samples with their truth.
        """

    def ideal(self) -> nn.Module | None:
        """Make the predictor with the highest possible accuracy, which needs no training.

        Returns:
            A differentiable model of the inputs; None where it has no closed form.
        """
        return None

    def measure_facts(self, seed: int) -> Facts:
        """Measure the numbers that belong next to every score, on the test samples.

        Args:
            seed: Seed of the splits.

        Returns:
            Prevalence, base rate and the accuracy of the ideal predictor.

        Raises:
            DataError: If no test sample has a truth.
        """
        test = self.load(seed).test
        assert test.truth is not None
        marked = test.truth.flatten(1).any(1)
        if not marked.any():
            raise DataError(f"no test sample of '{name_of(self)}' has a truth", "draw more test samples, test=200")
        valid = site_mask(test.mask, test.truth)
        model = self.ideal()
        return Facts(
            int(test.truth[marked].sum()) / int(valid[marked].sum()),
            int(test.label.flatten().bincount().max()) / test.label.numel(),
            None if model is None else _accuracy(model, test),
        )

    def _draw_named(self, part: str, seed: int) -> Batch:
        count = getattr(self, part)
        batch = self.draw(sub_seeds(stream(seed, name_of(self), part), count))
        return replace(batch, id=tuple(f"{part}-{i:06d}" for i in range(count)))


def draw_uniform(seeds: Tensor, name: str, *shape: int) -> Float[Tensor, "sample *shape"]:
    """Draw uniform numbers in [0, 1) from the stream of a name.

    Args:
        seeds: Seed of each sample.
        name: Purpose of the draw.
        shape: Shape of the numbers of a sample.

    Returns:
        Numbers in double precision.
    """
    return uniform(child_seeds(seeds, name), shape, DOUBLE)


def draw_normal(seeds: Tensor, name: str, *shape: int) -> Float[Tensor, "sample *shape"]:
    """Draw standard normal numbers from the stream of a name.

    Args:
        seeds: Seed of each sample.
        name: Purpose of the draw.
        shape: Shape of the numbers of a sample.

    Returns:
        Numbers in double precision.
    """
    return normal(child_seeds(seeds, name), shape, DOUBLE)


def draw_integers(seeds: Tensor, name: str, low: int | Tensor, high: int | Tensor) -> Int[Tensor, " sample"]:
    """Draw one whole number for each sample, both bounds included.

    Args:
        seeds: Seed of each sample.
        name: Purpose of the draw.
        low: Smallest number, one for all samples or one for each.
        high: Largest number.

    Returns:
        The numbers.

    Example:
        >>> draw_integers(torch.arange(100), "start", 3, 5).unique().tolist()
        [3, 4, 5]
    """
    low, high = torch.as_tensor(low), torch.as_tensor(high)
    return low + (draw_uniform(seeds, name) * (high - low + 1)).long()


def draw_order(seeds: Tensor, name: str, count: int) -> Int[Tensor, "sample count"]:
    """Draw a random order for each sample.

    Args:
        seeds: Seed of each sample.
        name: Purpose of the draw.
        count: Number of items.

    Returns:
        The items in random order.

    Example:
        >>> draw_order(torch.tensor([5]), "sensors", 4).sort().values.tolist()
        [[0, 1, 2, 3]]
    """
    return draw_uniform(seeds, name, count).argsort(1)


def draw_poisson(seeds: Tensor, name: str, rate: float, *shape: int) -> Int[Tensor, "sample *shape"]:
    """Draw Poisson counts, by the inverse of the distribution function.

    Args:
        seeds: Seed of each sample.
        name: Purpose of the draw.
        rate: Mean, at most 10.
        shape: Shape of the counts of a sample.

    Returns:
        The counts.

    Example:
        >>> draws = draw_poisson(torch.arange(2000), "events", 3.0).double()
        >>> abs(draws.mean().item() - 3) < 0.2, abs(draws.var().item() - 3) < 0.4
        (True, True)
    """
    counts = torch.arange(LARGEST_COUNT, dtype=torch.float64)
    below = (counts * torch.tensor(rate, dtype=torch.float64).log() - rate - torch.lgamma(counts + 1)).exp().cumsum(0)
    return torch.searchsorted(below, draw_uniform(seeds, name, *shape), right=True)


def _accuracy(model: nn.Module, batch: Batch) -> float:
    """Count correct predictions, over samples or over samples and steps."""
    with torch.no_grad():
        outputs = torch.cat([model(part) for part in batch.inputs.split(100)])
    return (outputs.argmax(-1) == batch.label).float().mean().item()
