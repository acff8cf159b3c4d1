"""All pairs of runs compared, sample by sample, in parts that fit in little memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.threads import side_by_side
from perdure.ops.tables import Measure, packed, tabled

__all__ = ["compared"]

NUMBERS = 2**19
"""Numbers that are compared at once."""


def compared(
    measure: Measure,
    first: Float[Tensor, "run sample type"],
    second: Float[Tensor, "run sample type"],
    present: Bool[Tensor, "sample type"],
) -> Iterator[tuple[Int[Tensor, " some"], Float[Tensor, "run run some"]]]:
    """Compare runs with each other, some samples at a time; those with as many types go together.

    Args:
        measure: as in `sample_agreement`.
        first: of some runs.
        second: of as many; the same object when these are the same runs.
        present: true for the types that occur.

    Yields:
        Some samples, and the measure of all pairs of runs on each of them; below the diagonal what is above it, where
        the measure is not had of all pairs at once.
    """
    rows = max(1, NUMBERS // max(1, len(first) * present.shape[1]))
    parts = torch.split(present.sum(1).argsort(stable=True), rows)

    def table(part: Tensor) -> Tensor:
        mask, a, b = packed(present[part], first[:, part], second[:, part])
        found: Tensor = tabled(measure)(a, a if first is second else b, mask).cpu()
        return found

    yield from zip(parts, side_by_side(table, parts), strict=True)
