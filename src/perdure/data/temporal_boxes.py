"""Seventy benchmark sets: a box on a process in time, for ten places of the box and seven processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.data._box_places import SIZE, Family, box_places, mark_box
from perdure.data._generated import Generated, draw_integers, draw_normal
from perdure.data._processes import Process, draw_process

__all__ = ["TemporalBoxes"]

NOISE = 0.3
"""Standard deviation of the noise on all processes but the first."""


@dataclass(frozen=True)
class TemporalBoxes(Generated):
    """Series of 50 steps and 50 features with a box whose level, or whose place, decides the class.

    For most families the box is 1 higher for class 1 and 1 lower for class 0; it is replaced for the process "box",
    normal noise, and added for the others. For "position_of_features" and "position_of_time" it is 1 higher for both
    classes, and begins early for class 1 and late for class 0 in one direction, anywhere in the other. The box is
    true. Classes alternate.

    The box has 30 x 30 steps and features for "middle" and "moving_middle", 36 % of the elements; 14 x 14 for
    "small_middle" (7.8 %) and 15 x 15 for "moving_small_middle" (9 %); 6 x 40 for "rare_time" and "moving_rare_time"
    and 40 x 6 for "rare_feature" and "moving_rare_feature" (9.6 %); 20 x 20 for the positional families (16 %).

    Inputs are not scaled; the paper scales each element to [0, 1] on the training samples. The ideal predictor has a
    closed form for the process "box". `boxes` has other places, sizes and a weaker signal.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        family: Place of the box. The two positional families are named by what decides; the published code names them
            by the other axis: its "PostionalTime" is "position_of_features".
        process: Process in time, at irregular steps; "box" is normal noise.
        as_published: None for independent features and the documented process "narma"; "code" for the implementation
            of the published code, whose default seed gives all features and samples of "narma" the same random inputs.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        ismail2020benchmarking

    Example:
        >>> batch = TemporalBoxes(train=2, validation=1, test=1, family="rare_time").load(0).train
        >>> batch.inputs.shape, batch.label.tolist(), batch.truth.sum((1, 2)).tolist()
        (torch.Size([2, 50, 50]), [0, 1], [240, 240])
    """

    train: int = 1000
    validation: int = 100
    test: int = 100
    family: Family = "middle"
    process: Process = "box"
    as_published: Literal["code"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("family", self.family, get_args(Family))
        check_choice("process", self.process, get_args(Process))
        check_choice("as_published", self.as_published, ("code", None))

    def draw(self, seeds: Int[Tensor, " sample"]) -> Batch:
        """Draw samples.

        Args:
            seeds: Seed of each sample.

        Returns:
            Series with the box as truth.
        """
        label = torch.arange(len(seeds)) % len(self.classes)
        truth = self._draw_boxes(seeds, label)
        level = torch.ones(len(seeds)) if self.family.startswith("position") else 2.0 * label - 1.0
        lifted = level[:, None, None] * truth
        noise = draw_normal(seeds, "noise", SIZE, SIZE)
        if self.process == "box":
            return Batch((noise + lifted).float(), label, truth=truth)
        x = draw_process(self.process, seeds, published=self.as_published == "code")
        return Batch((x + NOISE * noise + lifted).float(), label, truth=truth)

    def ideal(self) -> nn.Module | None:
        """Make the best possible predictor of the process "box": the likelihood of both classes over all places.

        Returns:
            A model with two logits; None for other processes, where there is no closed form.
        """
        if self.process != "box":
            return None
        places = [torch.stack([mark_box(self.family, *p) for p in box_places(self.family, label)]) for label in (0, 1)]
        levels = (1.0, 1.0) if self.family.startswith("position") else (-1.0, 1.0)
        return _Likelihood(places, levels)

    def _draw_boxes(self, seeds: Tensor, label: Tensor) -> Bool[Tensor, "sample time feature"]:
        """Draw the place of the box of each sample, each place as likely as the others."""
        every = [box_places(self.family, number) for number in range(len(self.classes))]
        chosen = [draw_integers(seeds, "place", 0, len(places) - 1) for places in every]
        return torch.stack([mark_box(self.family, *every[n][int(chosen[n][i])]) for i, n in enumerate(label.tolist())])


class _Likelihood(nn.Module):
    """The log-likelihood of each class under normal noise of variance 1 with a box at an unknown place."""

    def __init__(self, places: list[Bool[Tensor, "place time feature"]], levels: tuple[float, float]) -> None:
        super().__init__()
        self._places, self._levels = places, levels

    def forward(self, x: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch class"]:
        """Return one logit for each class; terms that both have are left out."""
        logits = []
        for places, level in zip(self._places, self._levels, strict=True):
            sums = x.flatten(1) @ places.flatten(1).to(x).T
            logits.append((level * sums).logsumexp(1) - torch.tensor(float(len(places))).log())
        return torch.stack(logits, 1)
