"""Noise with a box: series whose informative sites are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist
from typing import Literal, get_args

import torch
from jaxtyping import Bool
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.data._splits import Splits

__all__ = ["Boxes", "Signal", "Variant"]

Variant = Literal["earlier", "middle", "latter", "three_earlier", "three_middle", "mixed", "moving"]
Signal = Literal["published", "necessary"]

Range = tuple[int, int]
Box = tuple[Range, tuple[Range, ...]]
"""A range of steps and the ranges of features, in hundredths of the series."""

EARLIER: Box = ((0, 30), ((10, 90),))
MIDDLE: Box = ((20, 80), ((20, 80),))
LATTER: Box = ((70, 100), ((10, 90),))
THREE = ((0, 30), (35, 65), (70, 100))

BOXES: dict[str, tuple[Box, ...]] = {
    "earlier": (EARLIER,),
    "middle": (MIDDLE,),
    "latter": (LATTER,),
    "three_earlier": (((0, 40), THREE),),
    "three_middle": (((25, 65), THREE),),
    "mixed": (EARLIER, MIDDLE, LATTER),
    "moving": tuple(((start, start + 60), ((20, 80),)) for start in (0, 10, 20, 30, 40)),
}
"""The boxes of each variant; every sample has one of them, each as likely as the others."""

NECESSARY_ACCURACY = 0.975
"""Bayes accuracy that fixes the strength of the necessary signal."""


@dataclass(frozen=True)
class Boxes:
    r"""Gaussian noise whose mean is shifted inside a box, up or down with the class.

    .. math:: x_{tf} \sim N(\pm\mu, 1) \text{ inside the box}, \quad N(0, 1) \text{ outside}

    With the published signal, :math:`\mu = 1`, a few sites of the box decide the class, so a faithful map need
    not show the box. With the necessary signal :math:`\mu` is so small that the best possible classifier,
    which must read the whole box, has accuracy :math:`\Phi(\mu \sqrt{\text{sites}}) = 0.975`.

    Args:
        variant: Position of the box. "mixed" draws one of earlier, middle and latter for each sample; "moving"
            draws the first step of a square from 0, 10, 20, 30 and 40 hundredths.
        signal: Strength of the evidence of one site.
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        size: Steps and features; boxes scale with it. A multiple of 20.

    Raises:
        SettingError: For a setting out of range, or a necessary signal without one fixed box.

    Reference:
        ismail2019inputcell

    Notes:
        The paper names the mixed set without defining it. Classes are balanced: half of the samples each.
    """

    variant: Variant = "middle"
    signal: Signal = "published"
    train: int = 1000
    validation: int = 200
    test: int = 300
    size: int = 100

    def __post_init__(self) -> None:
        for name, kind in (("variant", Variant), ("signal", Signal)):
            if getattr(self, name) not in get_args(kind):
                raise SettingError(
                    f"no {name} of the boxes is called {getattr(self, name)!r}", f"give {' or '.join(get_args(kind))}"
                )
        if min(self.train, self.validation, self.test) < 1:
            raise SettingError("a split of the boxes has fewer than one sample", "give positive numbers of samples")
        if self.size < 20 or self.size % 20:
            raise SettingError(f"size is {self.size}, where boxes fall between steps", "give a multiple of 20")
        if self.signal == "necessary":
            self._check_fixed("a necessary signal")

    @property
    def mean(self) -> float:
        """The shift inside the box, in standard deviations of the noise."""
        if self.signal == "published":
            return 1.0
        return NormalDist().inv_cdf(NECESSARY_ACCURACY) / sqrt(self._sites())

    def load(self, seed: int) -> Splits:
        """Draw the splits, each from its own stream.

        Args:
            seed: Seed of all splits.

        Returns:
            The splits; the test samples do not depend on the number of training samples.
        """
        train, validation, test = (
            self._draw_named(name, count, seed)
            for name, count in (("train", self.train), ("validation", self.validation), ("test", self.test))
        )
        return Splits(train, validation, test, ("negative", "positive"))

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw fresh samples, half of them of each class.

        Args:
            count: Number of samples; an odd one is negative.
            generator: Stream, advanced by the draw.

        Returns:
            Samples in random order with the box as truth.

        Example:
            >>> batch = Boxes(size=20).draw(4, torch.Generator().manual_seed(0))
            >>> batch.label.sum().item(), batch.truth.sum((1, 2)).tolist()
            (2, [144, 144, 144, 144])
        """
        boxes = self._boxes()
        truth = boxes[torch.randint(len(boxes), (count,), generator=generator)]
        label = torch.randperm(count, generator=generator) % 2
        noise = torch.randn(truth.shape, generator=generator)
        shift = self.mean * (2.0 * label - 1.0)
        return Batch(noise + shift[:, None, None] * truth, label, truth=truth)

    def bayes_accuracy(self) -> float:
        r"""Return the accuracy of the best possible classifier, the sign of the sum over the box.

        Returns:
            :math:`\Phi(\mu \sqrt{\text{sites}})`.

        Raises:
            SettingError: For a variant without one fixed box.

        Example:
            >>> round(Boxes(signal="necessary").bayes_accuracy(), 6)
            0.975
        """
        self._check_fixed("a Bayes accuracy in closed form")
        return NormalDist().cdf(self.mean * sqrt(self._sites()))

    def _draw_named(self, name: str, count: int, seed: int) -> Batch:
        batch = self.draw(count, stream(seed, "boxes", name))
        return replace(batch, id=tuple(f"{name}-{i:06d}" for i in range(count)))

    def _boxes(self) -> Bool[Tensor, "box time feature"]:
        boxes = torch.zeros(len(BOXES[self.variant]), self.size, self.size, dtype=torch.bool)
        for box, (steps, features) in zip(boxes, BOXES[self.variant], strict=True):
            for columns in features:
                box[self._range(steps), self._range(columns)] = True
        return boxes

    def _range(self, hundredths: Range) -> slice:
        start, stop = (end * self.size // 100 for end in hundredths)
        return slice(start, stop)

    def _sites(self) -> int:
        return int(self._boxes()[0].sum())

    def _check_fixed(self, wanted: str) -> None:
        if len(BOXES[self.variant]) > 1:
            fixed = [name for name, boxes in BOXES.items() if len(boxes) == 1]
            raise SettingError(
                f"{wanted} needs one fixed box, but in '{self.variant}' the box of a sample is hidden: "
                "the best classifier must guess it, and no single box is the truth",
                f"choose the variant from {', '.join(fixed)}",
            )
