"""Vanishing: where along a series the attribution mass lies, seen from its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_inputs
from perdure.core.metric import Measurement
from perdure.ops.sequence import site_mask

__all__ = ["Vanishing", "mass_by_distance"]

BINS = 20
"""Points of the profile, from the end of the series to its start."""

FLOOR = 1e-30
"""The fraction of mass that a step counts with in the slope when it holds less, or none."""


@dataclass(frozen=True)
class Vanishing:
    r"""Attribution mass against distance from the end of the series.

    The mass of a step is the sum of :math:`|a|` over its features, as a fraction :math:`m` of the sample's mass.
    A step `d` steps before the last of `T` valid ones lies at the relative distance `u = d / (T - 1)`:

    .. math:: v = 1 - 2 \sum_d m_d \, u_d

    The index is 1 when all mass lies on the last step, 0 when the profile is flat, and -1 when all lies on the
    first, whatever the length; 0 for a series of one step and for a map that is zero everywhere. It requires no
    truth: 0 is best in the sense of *nothing vanishes*, and good is near 0 rather than low. A random map is flat
    too, so the index measures whether a map reaches back, not whether it is right; where the evidence itself lies
    late, a faithful map has a high index.

    The curve is the profile over relative distance in 20 equal bins from the end to the start; a step is spread
    evenly over its own part of the axis, so the bins sum to 1 for any length and are all 0.05 for a flat map.
    `aux` holds `reach`, the mass in the earliest quarter of the series (0.25 when flat), and `slope`, the
    least-squares slope of :math:`\ln m` per step of distance (0 when flat, negative when saliency vanishes);
    in the slope a step with less than 1e-30 of the mass counts as 1e-30.

    Reference:
        perdure
    """

    needs_truth: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False
    best: ClassVar[float] = 0.0

    def measure(self, attribution: Attribution) -> Measurement:
        """Profile the mass of a series.

        Args:
            attribution: a series (batch, time, feature), with or without truth.

        Returns:
            The index in [-1, 1], the profile as curve, `reach` and `slope` as aux.

        Raises:
            ShapeError: when the map is no series.
        """
        check_inputs(attribution.values, "the map", rank=3)
        valid = site_mask(attribution.query.mask, attribution.values)[..., 0]
        mass = mass_by_distance(attribution.values, valid)
        lengths = valid.sum(1).double()
        profile = _profile(mass, lengths)
        aux = {"slope": _slope(mass, lengths), "reach": profile[:, -BINS // 4 :].sum(1)}
        dtype = attribution.values.dtype
        return Measurement(
            _index(mass, lengths).to(dtype), profile.to(dtype), {name: item.to(dtype) for name, item in aux.items()}
        )


def mass_by_distance(
    values: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch distance"]:
    """Share out the mass of each sample by distance from its last valid step.

    Args:
        values: maps of series.
        valid: true at valid steps.

    Returns:
        The fraction of each distance, in double precision: first the last step, zero beyond the first one. A map
        that is zero everywhere counts as flat.

    Example:
        >>> values, valid = torch.tensor([[[1.0], [-3.0], [9.0]]]), torch.tensor([[True, True, False]])
        >>> mass_by_distance(values, valid).tolist()
        [[0.75, 0.25, 0.0]]
    """
    size = values.abs().masked_fill(~valid[..., None], 0.0).double()
    largest = size.amax((1, 2), keepdim=True)
    size = torch.where(largest > 0, size / largest, valid[..., None].double()).sum(2)
    distance = valid.flip(1).cumsum(1).flip(1) - 1
    mass = torch.zeros_like(size).scatter_add(1, distance.clamp_min(0), size)
    return mass / mass.sum(1, keepdim=True)


def _index(mass: Tensor, lengths: Tensor) -> Tensor:
    distance = torch.arange(mass.shape[1], dtype=mass.dtype, device=mass.device)
    span = lengths - 1
    return torch.where(span > 0, 1 - 2 * (mass @ distance) / span.clamp_min(1), 0.0)


def _profile(mass: Tensor, lengths: Tensor) -> Float[Tensor, "batch bin"]:
    """Cut the cumulated mass, linear within each step, at the edges of the bins."""
    cumulated = torch.nn.functional.pad(mass.cumsum(1), (1, 0))
    edges = torch.arange(BINS + 1, dtype=mass.dtype, device=mass.device) * lengths[:, None] / BINS
    step = edges.long().clamp_max(mass.shape[1] - 1)
    at_edges = cumulated.gather(1, step) + (edges - step) * mass.gather(1, step)
    return at_edges.diff(dim=1)


def _slope(mass: Tensor, lengths: Tensor) -> Tensor:
    distance = torch.arange(mass.shape[1], dtype=mass.dtype, device=mass.device)
    centred = (distance - (lengths[:, None] - 1) / 2) * (distance < lengths[:, None])
    spread = centred.square().sum(1)
    return torch.where(spread > 0, (centred * mass.clamp_min(FLOOR).log()).sum(1) / spread, 0.0)
