"""SeqComb: the directions of two segments decide the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.data._generated import (
    Generated,
    draw_integers,
    draw_normal,
    draw_order,
    draw_poisson,
    draw_uniform,
)
from perdure.data._processes import narma, place_ranges

__all__ = ["SeqComb"]

Variant = Literal["univariate", "multivariate"]

STEPS, ORDER, NOISE, FACTOR = 200, 2, 0.01, 5.0
FEATURES = {"univariate": 1, "multivariate": 4}
LENGTHS = {"univariate": (10, 19), "multivariate": (15, 29)}
RATES = {"univariate": 10.0, "multivariate": 5.0}
RISES = torch.tensor([[False, False], [False, False], [True, True], [True, False]])
"""Whether the first and the second segment of each class rise; the first class has none."""


@dataclass(frozen=True)
class SeqComb(Generated):
    """Series of 200 steps with two segments, each falling or rising, which replace a noise process.

    Class 0 has no segment; the others have two that fall, two that rise, or one that rises and then one that falls.
    The steps of both segments are true, 14.5 % of all elements for one feature and 5.5 % for four, where the segments
    are on two different features. Samples of class 0 have no truth, and metrics that compare with it take the samples
    that have one: `slice_batch(batch, batch.truth.flatten(1).any(1))`. Classes alternate, so that all are equally
    frequent. There is no ideal predictor in closed form.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        variant: "univariate" for one feature, "multivariate" for four.
        as_published: None for the documented noise process; "code" for that of the implementation that the published
            data are made with, see `perdure.data._processes.narma`.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        queen2023encoding

    Example:
        >>> batch = SeqComb(train=4, validation=1, test=1).load(0).train
        >>> batch.inputs.shape, batch.truth.any(1).flatten().tolist()
        (torch.Size([4, 200, 1]), [False, True, True, True])
    """

    classes: ClassVar[tuple[str, ...]] = ("none", "falling, falling", "rising, rising", "rising, falling")

    train: int = 5000
    validation: int = 100
    test: int = 1000
    variant: Variant = "univariate"
    as_published: Literal["code"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("variant", self.variant, get_args(Variant))
        check_choice("as_published", self.as_published, ("code", None))

    def draw(self, seeds: Int[Tensor, " sample"]) -> Batch:
        """Draw samples.

        Args:
            seeds: Seed of each sample.

        Returns:
            Series with the steps of the segments as truth.
        """
        label = torch.arange(len(seeds)) % len(self.classes)
        features = FEATURES[self.variant]
        base = narma(
            draw_uniform(seeds, "process", features, STEPS + ORDER), ORDER, nonlinear=self.as_published is None
        ).transpose(1, 2)
        x = base + NOISE * draw_normal(seeds, "noise", STEPS, features)
        low, high = x.amin(1), x.amax(1)
        sensors = draw_order(seeds, "sensors", features)
        truth = torch.zeros(x.shape, dtype=torch.bool)
        for number, (start, length) in enumerate(self._ranges(seeds)):
            sensor = sensors[:, min(number, features - 1)]
            ends = [item.gather(1, sensor[:, None])[:, 0] for item in (low, high)]
            inside, after = place_ranges(start, length, STEPS)
            frequency = draw_poisson(seeds, f"frequency {number}", RATES[self.variant])
            segment = _draw_segment(after, length, frequency, RISES[label, number], ends)
            place = inside & (label > 0)[:, None]
            place = place[..., None] & (torch.arange(features) == sensor[:, None])[:, None]
            x = torch.where(place, segment[..., None], x)
            truth |= place
        return Batch(x.float(), label, truth=truth)

    def _ranges(self, seeds: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Draw the first step and the length of both segments, which do not overlap."""
        shortest, longest = LENGTHS[self.variant]
        lengths = [draw_integers(seeds, f"length {number}", shortest, longest) for number in range(2)]
        first = draw_integers(seeds, "first start", 0, STEPS // 2 - 1)
        second = draw_integers(seeds, "second start", first + lengths[0], STEPS - lengths[1] - 1)
        return [(first, lengths[0]), (second, lengths[1])]


def _draw_segment(
    after: Int[Tensor, "sample time"], length: Tensor, frequency: Tensor, rises: Tensor, ends: list[Tensor]
) -> Float[Tensor, "sample time"]:
    """Compute a line with a wave around it, as if the segment covered all steps."""
    place = (after - (length // 2)[:, None]).double()
    height = FACTOR * (ends[0].abs() + ends[1].abs())
    slope = torch.where(rises, height, -height) / length
    return slope[:, None] * place + torch.sin(frequency[:, None] * place)
