"""Event series from a rule: the event types that determine the class are known, as are those that correlate with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.random import stream
from perdure.data._splits import Splits
from perdure.ops.sequence import length_mask

__all__ = ["NO_EVENT", "PlantedEvents"]

NO_EVENT = -1
"""The event type of a step without an event."""

CLASSES = 2
NAMES = ("negative", "positive")


@dataclass(frozen=True)
class PlantedEvents:
    """Series of events whose class follows from the types of a few of them.

    Each class has separate event types as evidence. A series holds one event of every evidence type of its class
    and none of the other class, at random places among uninformative fillers. So any one evidence type is enough,
    and with `redundancy` of them there are that many complete explanations. Each has a companion type, which occurs
    with probability `correlation` where the class is that of its evidence, and with one minus that where it is not:
    a model that reads companions is often right, yet not for the reason of the data. The truth marks the evidence.

    A step has one channel per type, 1 for each of its events, so that those of one time have no order. Types are
    numbered: evidence of the first class, of the second, their companions in the same order, fillers.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        shortest: Steps of a series, at least.
        longest: Steps of a series, at most; padding goes up to here.
        together: Events at one time step; of several with the same type one is seen. Above 1 there is no `event`.
        redundancy: Evidence types of a class; 1 leaves a single explanation.
        correlation: Probability that a companion agrees with the class; at one half it is uninformative.
        fillers: Number of uninformative event types.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        ger2020reproducibility

    Example:
        >>> batch = PlantedEvents(train=2, validation=1, test=1).load(0).train
        >>> important = batch.truth[0].nonzero()[:, 1].sort().values
        >>> batch.label[0].item(), important.tolist()
        (0, [0, 1])
    """

    train: int = 2000
    validation: int = 300
    test: int = 500
    shortest: int = 15
    longest: int = 25
    together: int = 1
    redundancy: int = 2
    correlation: float = 0.8
    fillers: int = 8

    def __post_init__(self) -> None:
        counts = ("train", "validation", "test", "shortest", "together", "redundancy", "fillers")
        check_counts(**{name: getattr(self, name) for name in counts})
        if self.longest < self.shortest:
            raise SettingError(
                f"longest is {self.longest}, shortest {self.shortest}", "give a longest of at least the shortest"
            )
        planted = (1 + CLASSES) * self.redundancy
        if self.shortest * self.together < planted:
            raise SettingError(
                f"the shortest series has {self.shortest * self.together} events, but up to {planted} are planted",
                "give more steps or events at a step, or less redundancy",
            )
        if not 0.5 <= self.correlation <= 1:
            raise SettingError(f"correlation is {self.correlation}", "give a probability from 0.5 to 1")

    @property
    def types(self) -> int:
        """Number of event types, which is the number of features."""
        return 2 * CLASSES * self.redundancy + self.fillers

    def important(self) -> Bool[Tensor, "class type"]:
        """Return which types decide for each class.

        Returns:
            True at the evidence.

        Example:
            >>> PlantedEvents(redundancy=1, fillers=2).important().int().tolist()
            [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]]
        """
        owner = torch.arange(self.types) // self.redundancy
        return owner == torch.arange(CLASSES)[:, None]

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
        return Splits(train, validation, test, NAMES, types=self._type_names())

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw fresh samples, half of them of each class.

        Args:
            count: Number of samples; an odd one is negative.
            generator: Stream, advanced by the draw.

        Returns:
            Samples in random order with the evidence as truth; `event` is -1 at padded steps.
        """
        label = torch.randperm(count, generator=generator) % CLASSES
        lengths = torch.randint(self.shortest, self.longest + 1, (count,), generator=generator)
        mask = length_mask(lengths, self.longest)
        event = self._events(label, mask, generator)
        inputs = self._channels(event)
        truth = inputs.bool() & self.important()[label][:, None]
        return Batch(inputs, label, mask, truth, event[..., 0] if self.together == 1 else None)

    def _type_names(self) -> tuple[str, ...]:
        planted = [f"{name} {role} {i}" for role in ("evidence", "companion") for name in NAMES for i in self._numbers]
        return (*planted, *(f"filler {i}" for i in range(1, self.fillers + 1)))

    @property
    def _numbers(self) -> range:
        return range(1, self.redundancy + 1)

    def _draw_named(self, name: str, count: int, seed: int) -> Batch:
        batch = self.draw(count, stream(seed, "planted_events", name))
        return replace(batch, id=tuple(f"{name}-{i:06d}" for i in range(count)))

    def _events(
        self, label: Tensor, mask: Bool[Tensor, "batch time"], generator: torch.Generator
    ) -> Int[Tensor, "batch time together"]:
        """Draw fillers for all places, and plant evidence and companions at the first of them in a random order."""
        shape = (*mask.shape, self.together)
        event = torch.randint(self.types - self.fillers, self.types, shape, generator=generator)
        planted = self._draw_planted(label, generator)
        order = torch.rand(shape, generator=generator).masked_fill(~mask[..., None], 2.0).flatten(1).argsort(1)
        places = order[:, : planted.shape[1]]
        event = event.flatten(1)
        planted = torch.where(planted == NO_EVENT, event.gather(1, places), planted)
        return event.scatter(1, places, planted).reshape(shape).masked_fill(~mask[..., None], NO_EVENT)

    def _draw_planted(self, label: Tensor, generator: torch.Generator) -> Int[Tensor, "batch planted"]:
        """List the evidence of each class, then all companions that occur, with `NO_EVENT` for those that do not."""
        evidence = label[:, None] * self.redundancy + torch.arange(self.redundancy)
        sources = torch.arange(CLASSES * self.redundancy)
        agrees = torch.rand(len(label), len(sources), generator=generator) < self.correlation
        occurs = agrees == (sources // self.redundancy == label[:, None])
        return torch.cat([evidence, torch.where(occurs, len(sources) + sources, NO_EVENT)], 1)

    def _channels(self, event: Tensor) -> Float[Tensor, "batch time type"]:
        """Return each type its channel; a step has those of all its events."""
        return one_hot(event + 1, self.types + 1)[..., 1:].amax(2).float()
