"""Permutation tests, paired over samples."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.errors import ShapeError

__all__ = ["permutation_p"]

PERMUTATIONS = 9999
"""Permutations of a test, so that the smallest p-value is 1e-4."""

MANY = 1000
"""Samples from which on the mean of a permutation is normal to all purposes, so that none is drawn."""

NUMBERS = 2**20
"""Numbers that are drawn at once, to bound the memory."""


def permutation_p(
    values: Float[Tensor, " batch"], nulls: Float[Tensor, "draw batch"], generator: torch.Generator
) -> float:
    r"""Return the p-value of a mean against draws of its null, paired over samples; large values are unlikely.

    Under the null hypothesis the score of a sample and those of its draws are exchangeable. A permutation takes any of
    them in each sample, independently; the p-value is the fraction of permutations, the given one among them, whose
    mean is as large as that of the values. Differences between samples cancel, so one draw per sample suffices.

    Args:
        values: Score of each sample.
        nulls: Scores of the draws of the null for each sample.
        generator: Random stream of the permutations.

    Returns:
        The one-sided p-value, from 1e-4 to 1.

    Raises:
        ShapeError: When the draws are not scores of these samples.

    Reference:
        phipson2010permutation

    Example:
        >>> better, null = torch.ones(10), torch.zeros(1, 10)
        >>> permutation_p(better, null, torch.Generator().manual_seed(0)) < 0.01
        True
        >>> permutation_p(null[0], null, torch.Generator().manual_seed(0))
        1.0
    """
    if nulls.ndim != 2 or nulls.shape[1:] != values.shape or len(nulls) == 0:
        raise ShapeError(
            f"the null has shape {tuple(nulls.shape)} for {len(values)} samples", "pass (draw, batch), one row per draw"
        )
    every = torch.cat([values[None], nulls]).double().cpu()
    gaps = every - every.mean(0)
    observed, rounding = gaps[0].sum(), 1e-9 * gaps.abs().sum() / len(gaps)
    if len(values) >= MANY:
        spread = gaps.square().mean(0).sum().sqrt()
        tail = 1.0 if spread == 0 else 0.5 * math.erfc(float(observed / spread) / math.sqrt(2))
        return max(tail, 1 / (1 + PERMUTATIONS))
    at_once = max(1, NUMBERS // len(values))
    as_large = 0
    for start in range(0, PERMUTATIONS, at_once):
        shape = (min(at_once, PERMUTATIONS - start), len(values))
        taken = torch.randint(len(gaps), shape, generator=generator)
        as_large += int((gaps.T.gather(1, taken.T).sum(0) >= observed - rounding).sum())
    return (1 + as_large) / (1 + PERMUTATIONS)
