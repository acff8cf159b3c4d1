"""Maps as masks in [0, 1], on the true sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from perdure.core.attribution import Attribution
from perdure.core.check import check_choice
from perdure.core.errors import DataError
from perdure.core.metric import Measurement
from perdure.metrics._sites import sites

__all__ = ["OnMask"]


@dataclass(frozen=True)
class OnMask:
    """Settings that the information and the entropy of a mask share.

    Args:
        scale: "unit" scales the absolute value of the map to [0, 1] in each sample; "given" takes masks in [0, 1] as
            they are.

    Raises:
        SettingError: For another scale.
    """

    needs_truth: ClassVar[bool] = True

    scale: Literal["unit", "given"] = "unit"

    def __post_init__(self) -> None:
        check_choice("scale", self.scale, ("unit", "given"))

    def masks(self, attribution: Attribution) -> tuple[Float[Tensor, "batch site"], Float[Tensor, "batch site"]]:
        """Lay out the masks.

        Args:
            attribution: Attribution with a truth.

        Returns:
            The mask of each site in [0, 1], and 1 at true sites, else 0.

        Raises:
            DataError: For a mask outside of [0, 1] that is taken as given.
        """
        result = sites(attribution, absolute=self.scale == "unit")
        if self.scale == "unit":
            return result.scaled, result.truth.to(result.scaled)
        mask = result.importance.masked_fill(~result.valid, 0.0)
        if mask.amin() < 0 or mask.amax() > 1:
            raise DataError(
                f"a mask lies in [0, 1], and the map reaches from {mask.amin():.3g} to {mask.amax():.3g}",
                "leave scale='given' out: the absolute value of the map is then scaled to [0, 1]",
            )
        return mask, result.truth.to(mask)

    def average(self, bits: Float[Tensor, "batch site"], truth: Float[Tensor, "batch site"]) -> Measurement:
        """Average bits over the true sites.

        Args:
            bits: Bits of each site.
            truth: 1 at true sites, else 0.

        Returns:
            The mean, and the sum as `total`.
        """
        total = (bits * truth).sum(1)
        return Measurement(total / truth.sum(1), aux={"total": total})
