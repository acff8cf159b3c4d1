"""Delayed Spike: the label is positive some steps after the first spike of the first feature."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.data.spike import Spike

__all__ = ["DelayedSpike"]


@dataclass(frozen=True)
class DelayedSpike(Spike):
    """Series as in `spike` whose label is positive from two steps after the first spike of the first feature.

    A method that explains a step by the inputs of that step alone fails here: the spike is true, which is earlier.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        delay: Steps from the spike to the first positive label; published ones are 1 to 4.
        task: "last" predicts the label of the last step; "steps" those of all steps.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        leung2023temporal

    Example:
        >>> batch = DelayedSpike(train=1, validation=1, test=100, task="steps").load(0).test
        >>> spike = batch.truth[..., 0].int().argmax(1)[batch.label.any(1)]
        >>> (batch.label.argmax(1)[batch.label.any(1)] - spike).unique().tolist()
        [2]
    """

    delay: int = 2
