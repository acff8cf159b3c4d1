"""LowVar: where a segment has low variance, and at which level, decides the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.data._generated import Generated, draw_integers, draw_normal, draw_uniform
from perdure.data._processes import narma, place_ranges

__all__ = ["LowVar"]

STEPS, FEATURES, ORDER = 200, 2, 2
LEVEL, SPREAD = 1.5, 0.1


@dataclass(frozen=True)
class LowVar(Generated):
    """Noise of 200 steps and 2 features, with 10 to 19 steps of nearly constant values in one of them.

    The segment is on the first feature for classes 0 and 1 and on the second for 2 and 3; its values are normal with
    mean -1.5 for even classes and 1.5 for odd ones and standard deviation 0.1, where the noise around has 1. The
    segment is true, 3.6 % of the elements. Classes alternate, so that all are equally frequent. There is no ideal
    predictor in closed form.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        as_published: None for the documented noise process; "code" for that of the implementation that the published
            data are made with, see `perdure.data._processes.narma`.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        queen2023encoding

    Example:
        >>> batch = LowVar(train=4, validation=1, test=1).load(0).train
        >>> batch.inputs.shape, batch.truth.any(1).int().tolist()
        (torch.Size([4, 200, 2]), [[1, 0], [1, 0], [0, 1], [0, 1]])
    """

    classes: ClassVar[tuple[str, ...]] = ("first, low", "first, high", "second, low", "second, high")

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
            Series with the segment as truth.
        """
        label = torch.arange(len(seeds)) % len(self.classes)
        draws = draw_uniform(seeds, "process", FEATURES, STEPS + ORDER)
        base = narma(draws, ORDER, nonlinear=self.as_published is None).transpose(1, 2)
        x = base + draw_normal(seeds, "noise", STEPS, FEATURES)
        length = draw_integers(seeds, "length", 10, 19)
        inside, _ = place_ranges(draw_integers(seeds, "start", 20, STEPS - 41), length, STEPS)
        truth = inside[..., None] & (torch.arange(FEATURES) == (label // 2)[:, None])[:, None]
        segment = LEVEL * (2 * (label % 2) - 1)[:, None] + SPREAD * draw_normal(seeds, "segment", STEPS)
        return Batch(torch.where(truth, segment[..., None], x).float(), label, truth=truth)
