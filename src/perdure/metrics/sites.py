"""What the metrics with a truth look at: one row of importances per sample, beside the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.trial import Trial
from perdure.ops.scale import min_max
from perdure.ops.sequence import site_mask

__all__ = ["Sites", "sites"]


@dataclass(frozen=True, eq=False)
class Sites:
    """The sites of each sample in a row.

    Args:
        importance: the map, or its absolute value.
        truth: true at the valid sites known to matter.
        valid: true at sites that are not padding; only these are ranked, scaled and summed.
    """

    importance: Float[Tensor, "batch site"]
    truth: Bool[Tensor, "batch site"]
    valid: Bool[Tensor, "batch site"]

    @property
    def scaled(self) -> Float[Tensor, "batch site"]:
        """The importance scaled to [0, 1] in each sample; a constant map becomes zero."""
        return min_max(self.importance, self.valid)


def sites(trial: Trial, absolute: bool) -> Sites:
    """Lay out a trial with truth for comparison.

    Args:
        trial: with truth.
        absolute: whether importance is the absolute value of the map.

    Returns:
        The sites, in single precision or better.
    """
    assert trial.truth is not None, "the door refuses a trial without truth"
    values = trial.attribution.to(torch.promote_types(trial.attribution.dtype, torch.float32))
    valid = site_mask(trial.query.mask, values)
    importance = values.abs() if absolute else values
    return Sites(importance.flatten(1), (trial.truth & valid).flatten(1), valid.flatten(1))
