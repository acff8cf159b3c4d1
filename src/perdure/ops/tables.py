"""The measures of `correlation` and `agreement` for all pairs of several runs at once: what is shared is done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.ops.agreement import (
    cosine,
    distribution,
    jensen_shannon,
    kendall,
    overlap,
    sign_agreement,
    top_jaccard,
    top_weights,
    unit_rows,
)
from perdure.ops.concordance import concordance
from perdure.ops.correlation import centred_ranks, spearman

__all__ = ["ALL", "Measure", "Tabled", "packed", "tabled", "tops"]

Measure = Callable[[Tensor, Tensor, Tensor], Tensor]
Rows = Float[Tensor, "run row site"]
Table = Float[Tensor, "run other row"]
Compared = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From rows of some runs and of others, and the mask, to all pairs."""


@dataclass(frozen=True)
class Tabled:
    """A measure of two runs that can also be had of all pairs at once.

    Args:
        measure: from rows of two runs and the mask, (row, site) each, to one number per row.
        table: from rows of some runs and of others, (run, row, site), and the mask to all pairs: (run, other, row).

    Example:
        >>> rows, everywhere = torch.tensor([[[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]]]), torch.ones(1, 3, dtype=torch.bool)
        >>> ALL["Spearman"].table(rows, rows, everywhere)[..., 0].tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """

    measure: Measure
    table: Compared

    def __call__(self, a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
        """Compare two runs."""
        return self.measure(a, b, mask)


def tops(count: int) -> Tabled:
    """Compare the sites with the largest absolute values.

    Args:
        count: how many are the top.

    Returns:
        The measure, `top_jaccard` of absolute values.
    """

    def weights(rows: Tensor, mask: Tensor) -> Tensor:
        return top_weights(rows.abs(), mask, count)

    def measure(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
        return top_jaccard(a.abs(), b.abs(), mask, count)

    return Tabled(measure, _prepared(weights, overlap))


def tabled(measure: Measure) -> Compared:
    """Give the way to compare all pairs of runs.

    Args:
        measure: any; one that is not `Tabled` is asked for pair by pair.

    Returns:
        From rows of some runs and of others, and the mask, to all pairs; those below the diagonal are those above.
    """
    own = (one.table for one in ALL.values() if one.measure is measure)
    if isinstance(measure, Tabled):
        return measure.table
    return next(own, lambda first, second, mask: _pair_by_pair(first, second, measure, mask))


def packed(mask: Bool[Tensor, "row site"], *values: Tensor) -> tuple[Tensor, ...]:
    """Move the valid sites of each row to its front, and cut off what no row needs.

    Args:
        mask: true at valid sites.
        values: (..., row, site).

    Returns:
        The mask and the values with narrower rows.

    Example:
        >>> mask, values = packed(torch.tensor([[False, True, True]]), torch.tensor([[0.0, 5.0, 6.0]]))
        >>> mask.tolist(), values.tolist()
        ([[True, True]], [[5.0, 6.0]])
    """
    if mask.all():
        return mask, *values
    width = int(mask.sum(1).max())
    order = mask.byte().argsort(dim=1, descending=True, stable=True)[:, :width]
    return mask.gather(1, order), *(one.gather(-1, order.expand(*one.shape[:-2], -1, -1)) for one in values)


def _prepared(prepare: Callable[[Tensor, Tensor], Tensor], compare: Callable[[Tensor, Tensor], Tensor]) -> Compared:
    """Prepare each run once, then compare pair by pair."""

    def table(first: Rows, second: Rows, mask: Tensor) -> Table:
        ours, theirs = _both(first, second, lambda rows: torch.stack([prepare(row, mask) for row in rows]))
        return _pair_by_pair(ours, theirs, lambda a, b, _: compare(a, b), mask)

    return table


def _pair_by_pair(first: Rows, second: Rows, measure: Measure, mask: Tensor) -> Table:
    found = first.new_empty((len(first), len(second), len(mask)), dtype=torch.float64)
    for i, j in product(range(len(first)), range(len(second))):
        found[i, j] = found[j, i] if j < i else measure(first[i], second[j], mask)
    return found


def _spearman(first: Rows, second: Rows, mask: Tensor) -> Table:
    ours, theirs = _both(first, second, lambda rows: torch.stack([centred_ranks(row, mask) for row in rows]))
    return _normalised(_products(ours, theirs), *(rows.square().sum(2) for rows in (ours, theirs)))


def _cosine(first: Rows, second: Rows, mask: Tensor) -> Table:
    ours, theirs = _both(first, second, lambda rows: torch.stack([unit_rows(row, mask) for row in rows]))
    return _normalised(_products(ours, theirs), *(rows.any(2).double() for rows in (ours, theirs)))


def _jensen_shannon(first: Rows, second: Rows, mask: Tensor) -> Table:
    """Subtract the mean entropy from that of the mean: one logarithm for a site of two runs."""
    ours, theirs = _both(first, second, lambda rows: torch.stack([distribution(row, mask) for row in rows]))
    size, other = _both(ours, theirs, _information)
    found = ours.new_empty((len(ours), len(theirs), len(mask)))
    for i, row in enumerate(ours):
        gained = (size[i] + other[i:]) / 2 - _information((row + theirs[i:]) / 2)
        found[i, i:] = found[i:, i] = gained.clamp(0.0, 1.0)
    return found


def _information(rows: Rows) -> Float[Tensor, "run row"]:
    return (rows * rows.clamp_min(torch.finfo(rows.dtype).tiny).log2()).sum(2)


def _signs(first: Rows, second: Rows, mask: Tensor) -> Table:
    def kinds(rows: Rows) -> Tensor:
        return torch.cat([((rows.sign() == sign) & mask).float() for sign in (-1, 0, 1)], 2)

    return _products(*_both(first, second, kinds)).double() / mask.sum(1).clamp_min(1)


def _kendall(first: Rows, second: Rows, mask: Tensor) -> Table:
    excess, size, other = concordance(first, second, mask)
    return _normalised(excess.double(), size.double(), other.double())


def _both(first: Any, second: Any, prepare: Callable[[Any], Any]) -> tuple[Any, Any]:
    ours = prepare(first)
    return ours, ours if first is second else prepare(second)


def _products(ours: Rows, theirs: Rows) -> Table:
    return torch.einsum("anw,bnw->abn", ours, theirs)


def _normalised(products: Table, size: Float[Tensor, "run row"], other: Float[Tensor, "run row"]) -> Table:
    """Divide by both sizes; two rows of size zero are alike, one is like no other."""
    sizes = size[:, None] * other
    neither = ((size[:, None] == 0) & (other == 0)).double()
    return torch.where(sizes == 0, neither, products / sizes.sqrt()).clamp(-1.0, 1.0)


ALL = {
    "Spearman": Tabled(spearman, _spearman),
    "Kendall": Tabled(kendall, _kendall),
    "sign agreement": Tabled(sign_agreement, _signs),
    "cosine": Tabled(cosine, _cosine),
    "Jensen-Shannon": Tabled(jensen_shannon, _jensen_shannon),
}
"""The measures by name."""
