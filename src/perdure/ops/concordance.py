"""Concordant and discordant pairs of sites, counted as bits for all pairs of runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["concordance"]

Values = np.ndarray
"""(run, row, site), NaN at sites that are not valid: they are neither higher nor lower."""
Bits = np.ndarray
"""(run, row, word), one bit for each two sites."""
Counts = tuple[np.ndarray, np.ndarray, np.ndarray]

BITS = 2**24
"""Bits that are computed at once."""


def concordance(
    first: Float[Tensor, "run row site"], second: Float[Tensor, "run row site"], mask: Bool[Tensor, "row site"]
) -> tuple[Int[Tensor, "run run row"], Int[Tensor, "run row"], Int[Tensor, "run row"]]:
    """Count how many more pairs of sites are in the same order than in the opposite one.

    Where no sites are tied, that is all pairs less twice those whose bits differ. Rows with ties, in any run, need the
    bits of untied pairs as well.

    Args:
        first: Rows of some runs.
        second: Rows of as many runs; the same object for pairs of the same runs.
        mask: True at valid sites.

    Returns:
        The excess for all pairs of runs, with what is above the diagonal also below it, and the pairs of sites that
        are not tied in the first runs and in the second.

    Reference:
        kendall1945treatment

    Example:
        >>> rows = torch.tensor([[[1.0, 2.0, 3.0, 3.0]], [[3.0, 2.0, 1.0, 0.0]]])
        >>> excess, size, _ = concordance(rows, rows, torch.ones(1, 4, dtype=torch.bool))
        >>> excess[..., 0].tolist(), size[:, 0].tolist()
        ([[5, -5], [-5, 6]], [5, 6])
    """
    ours = _values(first, mask)
    theirs = ours if first is second else _values(second, mask)
    runs, rows, sites = ours.shape
    excess, sizes = np.empty((runs, runs, rows), np.int64), np.empty((2, runs, rows), np.int64)
    tied = _find_tied(ours) | _find_tied(theirs)
    step = max(1, 2 * BITS // max(1, runs * sites**2))
    for group, count in ((~tied, _count_untied), (tied, _count_with_ties)):
        places = group.nonzero()[0]
        for part in (places[at : at + step] for at in range(0, len(places), step)):
            item = ours[:, part]
            result = count(item, item if ours is theirs else theirs[:, part])
            excess[..., part], sizes[0][:, part], sizes[1][:, part] = result
    return torch.from_numpy(excess), torch.from_numpy(sizes[0]), torch.from_numpy(sizes[1])


def _values(rows: Tensor, mask: Tensor) -> Values:
    filled: Values = rows.masked_fill(~mask, torch.nan).detach().cpu().numpy()
    return filled


def _find_tied(values: Values) -> np.ndarray:
    """Mark the rows in which any run has equal values."""
    ordered = np.sort(values, axis=2)
    tied: np.ndarray = (ordered[..., 1:] == ordered[..., :-1]).any(axis=(0, 2))
    return tied


def _count_untied(ours: Values, theirs: Values) -> Counts:
    places = (~np.isnan(ours[0])).sum(1)
    pairs = np.broadcast_to(places * (places - 1) // 2, ours.shape[:2])
    item = _mark_higher(ours)
    other = item if ours is theirs else _mark_higher(theirs)
    # Without ties a pair is concordant or discordant: the excess is all pairs less twice the differing bits.
    return pairs - 2 * _count_pairs(len(item), lambda i: _count_ones(item[i] ^ other[i:])), pairs, pairs


def _count_with_ties(ours: Values, theirs: Values) -> Counts:
    item, untied = _set_bits(ours)
    other, fellows = (item, untied) if ours is theirs else _set_bits(theirs)

    def excess(i: int) -> np.ndarray:
        both = untied[i] & fellows[i:]
        return _count_ones(both) - 2 * _count_ones((item[i] ^ other[i:]) & both)

    return _count_pairs(len(item), excess), _count_ones(untied), _count_ones(fellows)


def _set_bits(values: Values) -> tuple[Bits, Bits]:
    """Set the bits of higher sites, and those of untied pairs."""
    higher = _mark_higher(values)
    # A pair is untied where either site is higher; NaN compares false both ways, so padding is never counted.
    return higher, higher | _mark_higher(-values)


def _mark_higher(values: Values) -> Bits:
    """Set the bits of pairs of sites whose first site is higher.

    The sites form a circle, padded to an odd number. Each is compared with the half that follows it, so that every
    pair occurs once.
    """
    runs, rows, sites = values.shape
    around, half = sites + 1 - sites % 2, sites // 2
    # Whole 64-bit words: XOR and bit counts then process 64 pairs at once; surplus bits stay zero.
    bits = np.zeros((runs, rows, -(-half * around // 64) * 8), np.uint8)
    for run, item in zip(bits, values, strict=True):
        circle = np.full((rows, around + half), np.nan, values.dtype)
        circle[:, :sites], circle[:, around:] = item, item[:, :half]
        following = np.lib.stride_tricks.sliding_window_view(circle, around, axis=1)[:, 1:]
        higher = circle[:, None, :around] > following
        run[:, : -(-half * around // 8)] = np.packbits(higher.reshape(rows, half * around), axis=1)
    return bits.view(np.uint64)


def _count_pairs(runs: int, count: Callable[[int], np.ndarray]) -> np.ndarray:
    """Count for each run and those after it, and mirror the counts below the diagonal."""
    rows = [count(i) for i in range(runs)]
    result = np.empty((runs, *rows[0].shape), np.int64)
    for i, row in enumerate(rows):
        result[i, i:] = result[i:, i] = row
    return result


def _count_ones(bits: Bits) -> np.ndarray:
    counted: np.ndarray = np.bitwise_count(bits).sum(-1, dtype=np.int64)
    return counted
