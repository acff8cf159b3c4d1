"""Retention: the fraction of a prediction that is left when part of the input is replaced by noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution.iba.noise import DROP_COPIES, Noise, target_drop
from perdure.core.query import Query, slice_query
from perdure.core.target import AtStep, LogOdds, OfLabel, curve_target

__all__ = ["Retention", "measure_retention"]


@dataclass(frozen=True, eq=False)
class Retention:
    """The values between which the fraction kept is measured, one per sample, on the CPU in double precision.

    Args:
        query: Query of the probability of the class, or of the function itself.
        at_input: Its value at the inputs.
        at_noise: Its mean value at noise.
        drop: Root mean square change of the target of the search from the inputs to noise: for a class in nats, and at
            least one.
        of_probability: Whether the value is the probability of a class, which is zero when nothing is kept.
    """

    query: Query
    at_input: Float[Tensor, " batch"]
    at_noise: Float[Tensor, " batch"]
    drop: Float[Tensor, " batch"]
    of_probability: bool

    @property
    def direction(self) -> Float[Tensor, " batch"]:
        """The sign of the change from noise to the inputs; 1 for the probability of a class."""
        if self.of_probability:
            return torch.ones_like(self.at_input)
        return torch.where(self.at_input < self.at_noise, -1.0, 1.0)

    @property
    def of_noise(self) -> Float[Tensor, " batch"]:
        """The fraction kept when nothing of the input passes; 1 where the function does not change."""
        fraction = self.fraction(self.at_noise, slice(None))
        return fraction if self.of_probability else fraction.masked_fill(self.at_input == self.at_noise, 1.0)

    def kept(self, points: Float[Tensor, "copies batch *site"], members: Tensor) -> Float[Tensor, " batch"]:
        """Measure the fraction kept at points.

        Args:
            points: Copies of some samples, partly replaced by noise.
            members: Positions of these samples.

        Returns:
            The probability of the class at the points, averaged over copies, divided by that at the inputs. For a
            function the mean change from noise to the points, divided by the change from noise to the inputs.
        """
        return self.fraction(slice_query(self.query, members).value(points).mean(0).cpu().double(), members)

    def fraction(self, values: Float[Tensor, " batch"], members: Tensor | slice) -> Float[Tensor, " batch"]:
        """Divide values of some samples by their values at the inputs; for a function both are taken from the noise.

        Args:
            values: Mean value of each sample.
            members: Positions of these samples.

        Returns:
            One fraction per sample; 0 where the denominator is 0.
        """
        noise = torch.zeros_like(values) if self.of_probability else self.at_noise[members]
        change = self.at_input[members] - noise
        return torch.where(change == 0, 0.0, (values - noise) / change)

    def select(self, index: slice) -> Retention:
        """Select samples.

        Args:
            index: Positions.

        Returns:
            The values of these samples.
        """
        values = (self.at_input[index], self.at_noise[index], self.drop[index])
        return Retention(slice_query(self.query, index), *values, self.of_probability)


def measure_retention(query: Query, noise: Noise, name: str) -> Retention:
    """Measure the values between which the fraction kept is measured.

    Args:
        query: Query whose target is in nats for a class.
        noise: Noise that replaces the input.
        name: Name of the noise stream.

    Returns:
        The values at the inputs and at eight draws of noise.
    """
    inner = query.bound
    while isinstance(inner, AtStep):
        inner = inner.target
    of_probability = isinstance(inner, OfLabel) and inner.outputs != "numbers"
    measured = replace(query, target=curve_target(query.bound)) if of_probability else query
    points = torch.cat([query.x[None], noise.draw(query, DROP_COPIES, f"{name}-drop")])
    targets = query.value(points).cpu().double()
    values = targets
    if of_probability:
        values = targets.sigmoid() if isinstance(inner, LogOdds) else measured.value(points).cpu().double()
    drop = target_drop(targets).clamp_min(1.0 if of_probability else torch.finfo(torch.float32).tiny)
    return Retention(measured, values[0], values[1:].mean(0), drop, of_probability)
