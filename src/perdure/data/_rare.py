"""Salient rectangles of a known function: the function squares and adds a few elements of an autoregressive process."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.data._generated import Generated, draw_normal

__all__ = ["FEW", "MIDDLE", "SIZE", "Rare"]

SIZE = 50
"""Steps and features."""

MIDDLE = slice(12, 37)
"""Steps or features that are always active: half of them."""

FEW = 5
"""Number of active features or steps that are drawn."""

COEFFICIENTS = (-0.25, -0.1, -0.05)
VARIANCE = 1.0684
"""Variance of the process in the long run."""


class _SumOfSquares(nn.Module):
    """The sum of the squares of the active elements of each step."""

    def forward(
        self, x: Float[Tensor, "batch time feature"], active: Bool[Tensor, "batch time feature"]
    ) -> Float[Tensor, "batch time"]:
        """Add the squares of active elements."""
        return (x.square() * active).sum(2)


@dataclass(frozen=True)
class Rare(Generated):
    """Settings that both datasets share.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        as_published: None for active elements of each sample; "code" for those of a public implementation, which seeds
            its generator again for each sample, so that all samples have the same ones.

    Raises:
        SettingError: For a setting out of range.
    """

    classes: ClassVar[tuple[str, ...]] = ("small", "large")

    train: int = 1000
    validation: int = 100
    test: int = 100
    as_published: Literal["code"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("as_published", self.as_published, ("code", None))

    def draw(self, seeds: Int[Tensor, " sample"]) -> Batch:
        """Draw samples.

        Args:
            seeds: Seed of each sample.

        Returns:
            Series with the active elements as truth; the label is whether the sum of their squares is above its mean.
        """
        x = _run_process(draw_normal(seeds, "innovation", SIZE, SIZE)).float()
        same = torch.zeros_like(seeds) if self.as_published == "code" else seeds
        truth = self.activate(same)
        total = (x.square() * truth).sum((1, 2))
        return Batch(x, (total > VARIANCE * truth.sum((1, 2))).long(), truth=truth)

    @abstractmethod
    def activate(self, seeds: Int[Tensor, " sample"]) -> Bool[Tensor, "sample time feature"]:
        """Draw the active elements.

        Args:
            seeds: Seed of each sample.

        Returns:
            True at active elements.
        """

    def white_box(self) -> nn.Module:
        """Make the function to explain: of each step, the sum of squares of the elements that are active in a sample.

        Returns:
            A model called as `model(x, active=truth)`, for `perdure.Adapted(model, given={"active": truth},
            outputs="numbers")`; published scores explain the sum of its outputs.
        """
        return _SumOfSquares()


def _run_process(innovation: Float[Tensor, "sample time feature"]) -> Float[Tensor, "sample time feature"]:
    """Run an autoregressive process of order 3 for each feature, from zero."""
    series: list[Tensor] = []
    for step in innovation.unbind(1):
        past = zip(COEFFICIENTS, reversed(series[-len(COEFFICIENTS) :]), strict=False)
        series.append(step + sum((weight * value for weight, value in past), torch.zeros_like(step)))
    return torch.stack(series, 1)
