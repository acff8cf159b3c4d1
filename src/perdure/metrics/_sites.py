"""Inputs of metrics with a truth: one row of importances per sample, with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.errors import DataError, ShapeError
from perdure.ops.position import position_shape, to_positions, valid_positions
from perdure.ops.scale import divide_by_largest, scale_to_unit
from perdure.ops.sequence import site_mask

__all__ = ["Sites", "Unit", "check_both_kinds", "sites"]

Unit = Literal["position", "element", "feature"]
"""What is ranked: steps, tokens or pixels, single numbers, or the features of a series."""


@dataclass(frozen=True, eq=False)
class Sites:
    """The sites of each sample in a row.

    Args:
        importance: the map, or its absolute value.
        truth: true at the valid sites known to matter.
        valid: true at sites that are not padding; only these are ranked, scaled and summed.
        depth: Number of numbers of the map were added up for one importance.
    """

    importance: Float[Tensor, "batch site"]
    truth: Bool[Tensor, "batch site"]
    valid: Bool[Tensor, "batch site"]
    depth: int = 1

    @property
    def scaled(self) -> Float[Tensor, "batch site"]:
        """The importance scaled to [0, 1] in each sample; a constant map becomes zero."""
        return scale_to_unit(self.importance, self.valid)

    @property
    def heat(self) -> Float[Tensor, "batch site"]:
        """The positive part of the importance as a fraction of each sample's largest; zero stays zero."""
        return divide_by_largest(self.importance, self.valid)

    @property
    def given_heat(self) -> Float[Tensor, "batch site"]:
        """The importance as it was given, the mean of the numbers of a site, in [0, 1].

        Raises:
            DataError: when it is larger than 1.
        """
        heat = (self.importance / self.depth).masked_fill(~self.valid, 0.0)
        if heat.amax() > 1:
            raise DataError(
                f"the published metric takes heat in [0, 1] as it is given, and the map reaches {heat.amax():.3g}",
                "divide the map by its largest value, or leave compat='published' out",
            )
        return heat


def sites(attribution: Attribution, absolute: bool, granularity: Unit = "element") -> Sites:
    """Lay out an attribution with truth for comparison.

    A position is the signed sum of its numbers, and true when any of them is; the absolute value is taken of the
    sum, so that evidence for and against at one position cancels as it does in the model. So is a feature, the sum over
    the valid steps.

    Args:
        attribution: Attribution with a truth.
        absolute: whether importance is the absolute value of the map.
        granularity: "element" for each number by itself, "position" for steps, tokens or pixels as a whole, "feature"
            for the features of a series.

    Returns:
        The sites, in single precision or better.

    Raises:
        DataError: when all positions or features of a sample are true.
        ShapeError: for features of inputs that are no series.
    """
    assert attribution.truth is not None, "evaluate rejects an attribution without a truth"
    values = attribution.values.to(torch.promote_types(attribution.values.dtype, torch.float32))
    valid = site_mask(attribution.query.mask, values)
    truth, depth = attribution.truth & valid, 1
    if granularity == "position":
        depth = values[0].numel() // torch.Size(position_shape(values)).numel()
        values, truth, valid = to_positions(values), valid_positions(truth), valid_positions(valid)
        check_both_kinds(truth, valid, "positions")
    if granularity == "feature":
        if values.ndim != 3:
            raise ShapeError(f"the map has shape {tuple(values.shape)}", "pass series for granularity='feature'")
        depth = values.shape[1]
        values, truth, valid = values.masked_fill(~valid, 0.0).sum(1), truth.any(1), valid.any(1)
        check_both_kinds(truth, valid, "features")
    importance = values.abs() if absolute else values
    return Sites(importance.flatten(1), truth.flatten(1), valid.flatten(1), depth)


def check_both_kinds(truth: Bool[Tensor, "batch *site"], valid: Bool[Tensor, "batch *site"], noun: str) -> None:
    """Check that each sample has valid sites that are true and others that are not.

    Args:
        truth: true at the sites known to matter.
        valid: true at sites that are not padding.
        noun: Noun for the sites in messages.

    Raises:
        DataError: otherwise.
    """
    true, all_valid = ((item & valid).flatten(1).sum(1) for item in (truth, valid))
    bad = (true == 0) | (true == all_valid)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise DataError(
            f"the truth marks {int(true[first])} of the {int(all_valid[first])} valid {noun} of sample {first}, "
            "so its map cannot be scored",
            f"leave out samples whose truth marks none or all of their {noun}"
            + (", or use granularity='element'" if noun != "sites" else ""),
        )
