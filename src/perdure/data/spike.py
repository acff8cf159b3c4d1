"""Spike: the label is positive from the first spike of the first feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.signal import butter, lfilter
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.core.errors import SettingError
from perdure.data._generated import Generated, draw_normal, draw_order, draw_poisson, draw_uniform
from perdure.data._processes import narma

__all__ = ["Spike", "SpikeTask"]

SpikeTask = Literal["last", "steps"]

STEPS, FEATURES, ORDER = 80, 3, 2
STRONG, WEAK = (0.5, 0.5, 1.5, 0.5), (0.3, 0.05, 1.5, 0.1)
TREND = torch.tensor([0.003, 0.065, 0.0], dtype=torch.float64)
SHIFT = torch.tensor([0.0, 0.0, -0.5], dtype=torch.float64)
NOISE, CHANCE, RATE, HEIGHT = 0.001, 0.3, 3.0, 1.5


@dataclass(frozen=True)
class Spike(Generated):
    """Smooth series of 80 steps and 3 features with spikes; only the first spike of the first feature matters.

    Each feature has spikes with probability 0.3, independently: Poisson(3) different steps get 1.5 more. The label
    is 1 from the first spike of the first feature on, or `delay` steps later, and 0 before. That one element is true,
    in samples with a positive label: 28.5 % of them without delay, one element in 240. So use the AUPRC or the rank of
    that element. Metrics that compare with a truth take the samples that have one:
    `slice_batch(batch, batch.truth.flatten(1).any(1))`. There is no ideal predictor in closed form.

    The noise process is that of the published implementation: with its constants the documented one diverges.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        delay: Steps from the spike to the first positive label.
        task: "last" predicts the label of the last step; "steps" those of all steps.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        tonekaboni2020what

    Example:
        >>> batch = Spike(train=1, validation=1, test=100, task="steps").load(0).test
        >>> batch.inputs.shape, bool((batch.truth.sum((1, 2)) == batch.label.amax(1)).all())
        (torch.Size([100, 80, 3]), True)
    """

    delay: int = 0
    task: SpikeTask = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("task", self.task, get_args(SpikeTask))
        if not 0 <= self.delay < STEPS:
            raise SettingError(f"delay is {self.delay}", f"give 0 to {STEPS - 1} steps")

    def draw(self, seeds: Int[Tensor, " sample"]) -> Batch:
        """Draw samples.

        Args:
            seeds: Seed of each sample.

        Returns:
            Series with the first spike of the first feature as truth.
        """
        spikes = _draw_spikes(seeds)
        x = _draw_smooth(seeds) + HEIGHT * spikes
        after = spikes[:, :, 0].cumsum(1) > 0
        label = torch.zeros_like(after)
        label[:, self.delay :] = after[:, : STEPS - self.delay]
        truth = torch.zeros_like(spikes)
        truth[:, :, 0] = after & (after.cumsum(1) == 1) & label.any(1, keepdim=True)
        return Batch(x.float(), (label[:, -1] if self.task == "last" else label).long(), truth=truth)


def _draw_spikes(seeds: Tensor) -> Bool[Tensor, "sample time feature"]:
    """Mark the spikes of each feature at different steps."""
    columns = []
    for number in range(FEATURES):
        count = draw_poisson(seeds, f"spikes {number}", RATE) * (draw_uniform(seeds, f"any {number}") < CHANCE)
        rank = draw_order(seeds, f"order {number}", STEPS)  # an order is a set of ranks
        columns.append(rank < count[:, None])
    return torch.stack(columns, 2)


def _draw_smooth(seeds: Tensor) -> Float[Tensor, "sample time feature"]:
    """Draw the process of each feature, with trend, scaled to a range of 1 and filtered."""
    draws = draw_uniform(seeds, "process", FEATURES, STEPS + ORDER)
    strong = narma(draws[:, :2], ORDER, nonlinear=False, coefficients=STRONG)
    weak = narma(draws[:, 2:], ORDER, nonlinear=False, coefficients=WEAK)
    x = torch.cat([strong, weak], 1).transpose(1, 2) + NOISE * draw_normal(seeds, "noise", STEPS, FEATURES)
    x = x + TREND * torch.arange(STEPS, dtype=torch.float64)[:, None]
    x = x / (x.amax(1, keepdim=True) - x.amin(1, keepdim=True)) + SHIFT
    numerator, denominator = butter(6, 6.8, fs=30)
    return torch.from_numpy(np.ascontiguousarray(lfilter(numerator, denominator, x.numpy(), axis=1)))
