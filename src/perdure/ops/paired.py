"""Comparisons of several methods on the same samples."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["compare_by_sign_flips", "correct_by_holm"]

ROWS = 2**22
"""Numbers that are drawn at once, to bound the memory."""


def compare_by_sign_flips(
    differences: Float[Tensor, "sample pair"], generator: torch.Generator, draws: int = 10_000
) -> Float[Tensor, " pair"]:
    r"""Test whether the mean of paired differences is zero, with random signs for whole samples.

    .. math:: p = \frac{1 + \#\{ |\operatorname{mean}(s \, d)| \ge |\operatorname{mean}(d)| \}}{1 + \text{draws}}

    Args:
        differences: Difference of two methods on each sample, one column per pair of methods.
        generator: Random stream; all pairs have the same signs.
        draws: Number of draws.

    Returns:
        Two-sided p-values, at least 1 / (1 + draws).

    Reference:
        fisher1935design

    Example:
        >>> compare_by_sign_flips(torch.tensor([[1.0, 0.0]] * 20), torch.Generator().manual_seed(0)).lt(0.05).tolist()
        [True, False]
    """
    differences = differences.double()
    size = differences.mean(0).abs() * (1 - 1e-6)  # equal sums differ by rounding
    at_once = max(1, ROWS // len(differences))
    reached = torch.zeros_like(size)
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        signs = torch.randint(2, (count, len(differences)), generator=generator).double() * 2 - 1
        reached += ((signs @ differences / len(differences)).abs() >= size).sum(0)
    return (1 + reached) / (1 + draws)


def correct_by_holm(p: Float[Tensor, " test"], level: float = 0.05) -> Bool[Tensor, " test"]:
    """Reject hypotheses so that the chance of any false rejection is at most the level.

    Args:
        p: P-values of all tests.
        level: Chance of one false rejection or more.

    Returns:
        True for the rejected hypotheses.

    Reference:
        holm1979simple

    Example:
        >>> correct_by_holm(torch.tensor([0.04, 0.01, 0.03])).tolist()
        [False, True, False]
    """
    order = p.argsort()
    left = torch.arange(len(p), 0, -1).to(p)
    passed = (p[order] * left <= level).long().cumprod(0).bool()
    return torch.zeros_like(passed).scatter(0, order, passed)
