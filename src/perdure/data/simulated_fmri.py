"""Simulated task fMRI: the responding regions and their times are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import lfilter
from scipy.stats import gamma

from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.data._hcp.cortex import REGIONS
from perdure.data._hcp.events import REPETITION
from perdure.data._splits import Splits
from perdure.data.planted_events import NO_EVENT

__all__ = ["SimulatedFMRI", "haemodynamic_response"]

RESPONDING = {
    "MOTOR": ("4", "3a", "3b", "1", "2", "6mp"),
    "LANGUAGE": ("44", "45", "55b", "STSdp", "STSvp", "SFL"),
    "WM": ("p9-46v", "46", "a9-46v", "8C", "IP1", "IP2"),
    "EMOTION": ("FFC", "VVC", "PIT", "V8", "PeEc", "TGv"),
}
"""Areas of both hemispheres that respond to one task alone, roughly as in the literature."""

SHARED = ("V1", "V2", "V3", "V4")
"""Areas that respond to every task, and so are uninformative about it."""

BLOCK, REST = 25, 20
"""Steps of a block of the task, and of the rest before the next: 18 and 14.4 seconds."""

DRIFTS = 3
"""Slow cosines in the drift of a region."""

CORRELATION = 0.4
"""Correlation of the noise of a region from one step to the next."""

SPREAD = 0.2
"""Standard deviation of the logarithm of the strength, between subjects and between their regions."""

LATENESS = 0.5
"""Standard deviation of the delay of the response between subjects, in seconds."""

ON = 0.1
"""Fraction of a lasting response above which a step is true."""


@dataclass(frozen=True)
class SimulatedFMRI:
    r"""Signals of the 360 regions of the cortex while subjects perform one of four tasks in blocks.

    The boxcar :math:`b` of the blocks, convolved with the haemodynamic response :math:`h`, raises twelve regions that
    respond to this task alone and eight that respond to every task, among drift and autocorrelated noise:

    .. math:: x_{tr} = a_{sr} \, (b * h_s)_t + \text{drift}_{tr} + \epsilon_{tr},
        \quad \epsilon_{tr} = 0.4 \, \epsilon_{t-1,r} + \eta_{tr}

    The strength :math:`a` and the delay of :math:`h` vary with the subject :math:`s`. Every subject performs every
    task once and belongs to one split. The first block begins anywhere in the first rest, whatever the task, so time
    alone is uninformative about the class. The truth is where a region of the task alone responds with more than a
    tenth of a lasting response; the dip after a block, at most a fifth as deep, is left out. `event` is 0 inside a
    block, where the response takes some seconds to begin, and -1 outside. Values are in standard deviations of the
    noise from the level of rest. They are not scaled run by run: without its mean an active region would differ at
    rest too.

    Args:
        train: Number of training subjects, with four runs each.
        validation: Number of validation subjects.
        test: Number of test subjects.
        steps: Steps of a run, 0.72 seconds each.
        effect: Median strength of the response, in standard deviations of the noise.
        drift: Standard deviation of each slow cosine, in the same unit.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        ismail2019inputcell

    Example:
        >>> batch = SimulatedFMRI(train=1, validation=1, test=1).load(0).train
        >>> batch.inputs.shape, batch.truth.any(1).sum(1).tolist()
        (torch.Size([4, 120, 360]), [12, 12, 12, 12])
    """

    train: int = 60
    validation: int = 20
    test: int = 25
    steps: int = 120
    effect: float = 2.0
    drift: float = 0.3

    def __post_init__(self) -> None:
        check_counts(train=self.train, validation=self.validation, test=self.test)
        if self.steps < BLOCK + REST:
            raise SettingError(f"steps is {self.steps}", f"give {BLOCK + REST} or more, a block and the rest before it")
        if self.effect <= 0 or self.drift < 0:
            raise SettingError(
                f"effect is {self.effect}, drift is {self.drift}", "give a positive effect, a drift from 0"
            )

    def load(self, seed: int) -> Splits:
        """Simulate the subjects, each from a separate stream.

        Args:
            seed: Seed of all subjects.

        Returns:
            The splits; a subject does not depend on how many there are, and names its samples: "train-000-MOTOR".
        """
        parts = (("train", self.train), ("validation", self.validation), ("test", self.test))
        train, validation, test = (self._batch(name, count, seed) for name, count in parts)
        return Splits(train, validation, test, tuple(RESPONDING), types=("block",))

    def regions(self) -> tuple[str, ...]:
        """Name the features.

        Returns:
            The regions, in the order of the features.
        """
        return REGIONS

    def _batch(self, part: str, count: int, seed: int) -> Batch:
        result = [self._subject(stream(seed, "simulated_fmri", part, subject)) for subject in range(count)]
        series, blocks, truth = (np.concatenate(arrays) for arrays in zip(*result, strict=True))
        names = tuple(f"{part}-{subject:03d}-{task}" for subject in range(count) for task in RESPONDING)
        return Batch(
            torch.from_numpy(series.astype(np.float32)),
            torch.arange(len(RESPONDING)).repeat(count),
            truth=torch.from_numpy(truth),
            event=torch.where(torch.from_numpy(blocks), 0, NO_EVENT),
            id=names,
        )

    def _subject(self, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Simulate the runs of a subject: signal, blocks and truth."""
        tasks = len(RESPONDING)
        shape = (tasks, self.steps, len(REGIONS))
        late, overall = _normal(generator, 2) * (LATENESS, SPREAD)
        strength = self.effect * np.exp(overall + SPREAD * _normal(generator, len(REGIONS)))
        first = torch.randint(REST, (tasks, 1), generator=generator).numpy()
        blocks = (np.arange(self.steps) >= first) & ((np.arange(self.steps) - first) % (BLOCK + REST) < BLOCK)
        kernel = haemodynamic_response(REPETITION * np.arange(self.steps) - late)
        response = lfilter(kernel / kernel.sum(), 1.0, blocks.astype(float), axis=1)[..., None]
        mine = np.stack([_mark_areas(areas) for areas in RESPONDING.values()])[:, None]
        signal = strength * response * (mine | _mark_areas(SHARED))
        series = signal + self._drift(generator, shape) + _noise(generator, shape)
        return series, blocks, mine & (response > ON)

    def _drift(self, generator: torch.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "task time region"]:
        cycles = np.pi * np.arange(1, DRIFTS + 1) * (np.arange(self.steps)[:, None] + 0.5) / self.steps
        weights = self.drift * _normal(generator, shape[0], DRIFTS, shape[2])
        drift: np.ndarray = np.cos(cycles) @ weights
        return drift


def haemodynamic_response(seconds: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
    r"""Return the canonical response to a moment of activity, the difference of two gamma densities.

    .. math:: h(t) = g_6(t) - g_{16}(t) / 6

    It is zero before the moment, highest after five seconds, and goes below zero ten seconds later.

    Args:
        seconds: Seconds since the moment.

    Returns:
        The response.

    Reference:
        friston1998event

    Example:
        >>> response = haemodynamic_response(np.arange(30.0))
        >>> int(response.argmax()), int(response.argmin()), bool((response[:1] == 0).all())
        (5, 16, True)
    """
    response: np.ndarray = gamma.pdf(seconds, 6) - gamma.pdf(seconds, 16) / 6
    return response


def _mark_areas(areas: tuple[str, ...]) -> np.ndarray:
    return np.array([region[2:] in areas for region in REGIONS])


def _noise(generator: torch.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw noise of variance 1 that depends on its step before, from the first step on."""
    shocks = _normal(generator, *shape)
    shocks[:, 1:] *= np.sqrt(1 - CORRELATION**2)
    noise: np.ndarray = lfilter([1.0], [1.0, -CORRELATION], shocks, axis=1)
    return noise


def _normal(generator: torch.Generator, *shape: int) -> np.ndarray:
    draw: np.ndarray = torch.randn(shape, generator=generator, dtype=torch.float64).numpy()
    return draw
