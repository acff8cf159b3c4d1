"""FreqShapes: direction and period of spikes decide the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.data._generated import Generated, draw_integers, draw_normal

__all__ = ["FreqShapes"]

STEPS, NOISE = 50, 0.25
PERIODS, SIGNS = (10, 10, 17, 17), (-1.0, 1.0, -1.0, 1.0)
SIDE, PEAK = 1.75, 2.0


@dataclass(frozen=True)
class FreqShapes(Generated):
    """Series of 50 steps with spikes, down or up, every 10 or every 17 steps.

    A spike has the values 1.75, 2, 1.75 or their negatives, and is left out where one of its steps is outside. Normal
    noise of standard deviation 0.25 is added everywhere. The steps of all spikes are true: 20 % of them at a period
    of 10 and 15 % at 17. Classes alternate, so that all are equally frequent. There is no ideal predictor in closed
    form.

    The class is direction and period: one spike shows the direction, two are needed for the period, so that a map of a
    single spike already explains half of the class.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        as_published: None for a first centre at which at least two spikes are inside; "code" for the published draw,
            with which 2.5 to 3 % of the samples have a single spike, and so no period.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        queen2023encoding

    Example:
        >>> batch = FreqShapes(train=4, validation=1, test=1).load(0).train
        >>> batch.inputs.shape, batch.label.tolist()
        (torch.Size([4, 50, 1]), [0, 1, 2, 3])
    """

    classes: ClassVar[tuple[str, ...]] = ("down, period 10", "up, period 10", "down, period 17", "up, period 17")

    train: int = 5000
    validation: int = 100
    test: int = 1000
    as_published: Literal["code"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("as_published", self.as_published, ("code", None))

    def draw(self, seeds: Int[Tensor, " sample"]) -> Batch:
        """Draw samples.

        Args:
            seeds: Seed of each sample.

        Returns:
            Series with the steps of the spikes as truth.
        """
        label = torch.arange(len(seeds)) % len(self.classes)
        period = torch.tensor(PERIODS)[label]
        last = STEPS - period - 1
        centre = draw_integers(seeds, "centre", 0, last if self.as_published else last - 1)
        place = torch.arange(STEPS)
        after = place - centre[:, None]
        peak = (after >= 0) & (after % period[:, None] == 0) & (place > 0) & (place < STEPS - 1)
        side = peak.roll(1, 1) | peak.roll(-1, 1)
        shape = torch.tensor(SIGNS)[label][:, None] * (PEAK * peak + SIDE * side)
        x = shape + NOISE * draw_normal(seeds, "noise", STEPS)
        return Batch(x[..., None].float(), label, truth=(peak | side)[..., None])
