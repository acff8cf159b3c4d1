"""Pairs of sites that two runs put in the same order or in the opposite one, counted as bits for all pairs of runs."""

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
"""Bits that are made at once."""


def concordance(
    first: Float[Tensor, "run row site"], second: Float[Tensor, "run row site"], mask: Bool[Tensor, "row site"]
) -> tuple[Int[Tensor, "run run row"], Int[Tensor, "run row"], Int[Tensor, "run row"]]:
    """Count how many more pairs of sites are in the same order than in the opposite one.

    Where no sites are tied, that is all pairs less twice those whose bits differ. Rows with ties, in any run, need the
    bits of untied pairs as well.

    Args:
        first: rows of some runs.
        second: of as many; the same object when these are the same runs.
        mask: true at valid sites.

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
    tied = _tied(ours) | _tied(theirs)
    step = max(1, 2 * BITS // max(1, runs * sites**2))
    for some, count in ((~tied, _untied), (tied, _with_ties)):
        places = some.nonzero()[0]
        for part in (places[at : at + step] for at in range(0, len(places), step)):
            one = ours[:, part]
            found = count(one, one if ours is theirs else theirs[:, part])
            excess[..., part], sizes[0][:, part], sizes[1][:, part] = found
    return torch.from_numpy(excess), torch.from_numpy(sizes[0]), torch.from_numpy(sizes[1])


def _values(rows: Tensor, mask: Tensor) -> Values:
    filled: Values = rows.masked_fill(~mask, torch.nan).detach().cpu().numpy()
    return filled


def _tied(values: Values) -> np.ndarray:
    """Tell the rows in which some run has equal values."""
    ordered = np.sort(values, axis=2)
    tied: np.ndarray = (ordered[..., 1:] == ordered[..., :-1]).any(axis=(0, 2))
    return tied


def _untied(ours: Values, theirs: Values) -> Counts:
    places = (~np.isnan(ours[0])).sum(1)
    pairs = np.broadcast_to(places * (places - 1) // 2, ours.shape[:2])
    one = _higher(ours)
    other = one if ours is theirs else _higher(theirs)
    return pairs - 2 * _mirrored(len(one), lambda i: _ones(one[i] ^ other[i:])), pairs, pairs


def _with_ties(ours: Values, theirs: Values) -> Counts:
    one, untied = _ordered(ours)
    other, fellows = (one, untied) if ours is theirs else _ordered(theirs)

    def excess(i: int) -> np.ndarray:
        both = untied[i] & fellows[i:]
        return _ones(both) - 2 * _ones((one[i] ^ other[i:]) & both)

    return _mirrored(len(one), excess), _ones(untied), _ones(fellows)


def _ordered(values: Values) -> tuple[Bits, Bits]:
    """Set the bits of higher sites, and those of untied pairs."""
    higher = _higher(values)
    return higher, higher | _higher(-values)


def _higher(values: Values) -> Bits:
    """Set the bits of two sites of which the one is higher than the other.

    The sites stand on a circle, an odd number of them. Each is compared with the half that follows it, so that every
    pair comes once.
    """
    runs, rows, sites = values.shape
    around, half = sites + 1 - sites % 2, sites // 2
    bits = np.zeros((runs, rows, -(-half * around // 64) * 8), np.uint8)
    for run, one in zip(bits, values, strict=True):
        circle = np.full((rows, around + half), np.nan, values.dtype)
        circle[:, :sites], circle[:, around:] = one, one[:, :half]
        following = np.lib.stride_tricks.sliding_window_view(circle, around, axis=1)[:, 1:]
        higher = circle[:, None, :around] > following
        run[:, : -(-half * around // 8)] = np.packbits(higher.reshape(rows, half * around), axis=1)
    return bits.view(np.uint64)


def _mirrored(runs: int, count: Callable[[int], np.ndarray]) -> np.ndarray:
    """Count from each run to itself and those after it, and take what is below the diagonal from above it."""
    rows = [count(i) for i in range(runs)]
    found = np.empty((runs, *rows[0].shape), np.int64)
    for i, row in enumerate(rows):
        found[i, i:] = found[i:, i] = row
    return found


def _ones(bits: Bits) -> np.ndarray:
    counted: np.ndarray = np.bitwise_count(bits).sum(-1, dtype=np.int64)
    return counted
