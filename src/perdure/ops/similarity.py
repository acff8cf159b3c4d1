"""Similarities of maps, for two runs or vectorised for all pairs of several runs."""

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

__all__ = ["SIMILARITIES", "Measure", "Similarity", "as_similarity", "pack_valid", "top_similarity"]

Measure = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From the values of two runs and the mask, (row, site) each, to one number per row."""
Rows = Float[Tensor, "run row site"]
Table = Float[Tensor, "run other row"]
AllPairs = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From rows of some runs and of others, and the mask, to all pairs."""


@dataclass(frozen=True)
class Similarity:
    """A measure of the similarity of two maps, with a vectorised form for all pairs of runs.

    Args:
        name: Name in tables.
        pairwise: Measure of rows of two runs and the mask, (row, site) each; returns one number per row.
        all_pairs: Vectorised form: rows of some runs and of others, (run, row, site), and the mask; returns all pairs,
            (run, other, row). None to call `pairwise` pair by pair.
        higher_is_better: Whether higher values mean more similar maps.

    Example:
        >>> rows, everywhere = torch.tensor([[[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]]]), torch.ones(1, 3, dtype=torch.bool)
        >>> SIMILARITIES["Spearman"].compare_all(rows, rows, everywhere)[..., 0].tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """

    name: str
    pairwise: Measure
    all_pairs: AllPairs | None = None
    higher_is_better: bool = True

    def __call__(self, a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
        """Compare two runs, row by row."""
        return self.pairwise(a, b, mask)

    def compare_all(self, first: Rows, second: Rows, mask: Bool[Tensor, "row site"]) -> Table:
        """Compare all pairs of runs.

        Args:
            first: Values of some runs.
            second: Values of other runs; the same object for pairs of the same runs.
            mask: True at valid sites.

        Returns:
            The similarity of each pair, row by row; without a vectorised form, entries below the diagonal repeat those
            above.
        """
        if self.all_pairs is None:
            return _pair_by_pair(first, second, self.pairwise, mask)
        return self.all_pairs(first, second, mask)


def top_similarity(count: int) -> Similarity:
    """Compare the sites with the largest absolute values.

    Args:
        count: Number of top sites.

    Returns:
        `top_jaccard` of absolute values.
    """

    def weights(rows: Tensor, mask: Tensor) -> Tensor:
        return top_weights(rows.abs(), mask, count)

    def measure(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
        return top_jaccard(a.abs(), b.abs(), mask, count)

    return Similarity(f"top-{count} Jaccard", measure, _compare_prepared(weights, overlap))


def as_similarity(measure: Measure) -> Similarity:
    """Return a measure as a similarity.

    Args:
        measure: Similarity, one of the functions behind `SIMILARITIES`, or any other function of two runs.

    Returns:
        The similarity; that of an unknown function compares pair by pair.
    """
    if isinstance(measure, Similarity):
        return measure
    known = (similarity for similarity in SIMILARITIES.values() if similarity.pairwise is measure)
    return next(known, Similarity(getattr(measure, "__name__", "similarity"), measure))


def pack_valid(mask: Bool[Tensor, "row site"], *values: Tensor) -> tuple[Tensor, ...]:
    """Move the valid sites of each row to its front, and drop the columns that no row needs.

    Args:
        mask: True at valid sites.
        values: Tensors of shape (..., row, site).

    Returns:
        The mask and the values with narrower rows.

    Example:
        >>> mask, values = pack_valid(torch.tensor([[False, True, True]]), torch.tensor([[0.0, 5.0, 6.0]]))
        >>> mask.tolist(), values.tolist()
        ([[True, True]], [[5.0, 6.0]])
    """
    if mask.all():
        return mask, *values
    width = int(mask.sum(1).max())
    order = mask.byte().argsort(dim=1, descending=True, stable=True)[:, :width]
    return mask.gather(1, order), *(item.gather(-1, order.expand(*item.shape[:-2], -1, -1)) for item in values)


def _compare_prepared(
    prepare: Callable[[Tensor, Tensor], Tensor], compare: Callable[[Tensor, Tensor], Tensor]
) -> AllPairs:
    """Prepare each run once, then compare pair by pair."""

    def table(first: Rows, second: Rows, mask: Tensor) -> Table:
        ours, theirs = _prepare_both(first, second, lambda rows: torch.stack([prepare(row, mask) for row in rows]))
        return _pair_by_pair(ours, theirs, lambda a, b, _: compare(a, b), mask)

    return table


def _pair_by_pair(first: Rows, second: Rows, measure: Measure, mask: Tensor) -> Table:
    result = first.new_empty((len(first), len(second), len(mask)), dtype=torch.float64)
    for i, j in product(range(len(first)), range(len(second))):
        result[i, j] = result[j, i] if j < i else measure(first[i], second[j], mask)
    return result


def _spearman(first: Rows, second: Rows, mask: Tensor) -> Table:
    ours, theirs = _prepare_both(first, second, lambda rows: torch.stack([centred_ranks(row, mask) for row in rows]))
    return _normalise(_products(ours, theirs), *(rows.square().sum(2) for rows in (ours, theirs)))


def _cosine(first: Rows, second: Rows, mask: Tensor) -> Table:
    ours, theirs = _prepare_both(first, second, lambda rows: torch.stack([unit_rows(row, mask) for row in rows]))
    return _normalise(_products(ours, theirs), *(rows.any(2).double() for rows in (ours, theirs)))


def _jensen_shannon(first: Rows, second: Rows, mask: Tensor) -> Table:
    """Subtract the mean entropy from that of the mean: one logarithm for a site of two runs."""
    ours, theirs = _prepare_both(first, second, lambda rows: torch.stack([distribution(row, mask) for row in rows]))
    size, other = _prepare_both(ours, theirs, _information)
    result = ours.new_empty((len(ours), len(theirs), len(mask)))
    for i, row in enumerate(ours):
        gained = (size[i] + other[i:]) / 2 - _information((row + theirs[i:]) / 2)
        result[i, i:] = result[i:, i] = gained.clamp(0.0, 1.0)
    return result


def _information(rows: Rows) -> Float[Tensor, "run row"]:
    return (rows * rows.clamp_min(torch.finfo(rows.dtype).tiny).log2()).sum(2)


def _signs(first: Rows, second: Rows, mask: Tensor) -> Table:
    def kinds(rows: Rows) -> Tensor:
        return torch.cat([((rows.sign() == sign) & mask).float() for sign in (-1, 0, 1)], 2)

    return _products(*_prepare_both(first, second, kinds)).double() / mask.sum(1).clamp_min(1)


def _kendall(first: Rows, second: Rows, mask: Tensor) -> Table:
    excess, size, other = concordance(first, second, mask)
    return _normalise(excess.double(), size.double(), other.double())


def _prepare_both(first: Any, second: Any, prepare: Callable[[Any], Any]) -> tuple[Any, Any]:
    ours = prepare(first)
    return ours, ours if first is second else prepare(second)


def _products(ours: Rows, theirs: Rows) -> Table:
    return torch.einsum("anw,bnw->abn", ours, theirs)


def _normalise(products: Table, size: Float[Tensor, "run row"], other: Float[Tensor, "run row"]) -> Table:
    """Divide by both sizes; two rows of size zero have similarity 1, one and any other 0."""
    sizes = size[:, None] * other
    neither = ((size[:, None] == 0) & (other == 0)).double()
    return torch.where(sizes == 0, neither, products / sizes.sqrt()).clamp(-1.0, 1.0)


SIMILARITIES = {
    similarity.name: similarity
    for similarity in (
        Similarity("Spearman", spearman, _spearman),
        Similarity("Kendall", kendall, _kendall),
        Similarity("sign agreement", sign_agreement, _signs),
        Similarity("cosine", cosine, _cosine),
        Similarity("Jensen-Shannon", jensen_shannon, _jensen_shannon, higher_is_better=False),
    )
}
"""The similarities by name."""
