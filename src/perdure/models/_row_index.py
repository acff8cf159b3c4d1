"""Rows of a table found again by their numbers: which tokens have these embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["RowIndex", "row_index"]

BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, eq=False)
class RowIndex:
    """The rows of a table, ordered by a key of their numbers.

    Args:
        key: Ascending keys.
        row: The row of each key.
    """

    key: Int[Tensor, " row"]
    row: Int[Tensor, " row"]

    def find(
        self, table: Float[Tensor, "row feature"], x: Float[Tensor, "*points feature"]
    ) -> tuple[Int[Tensor, "*points"], Bool[Tensor, "*points"], Bool[Tensor, "*points"]]:
        """Find the row that equals each point in all its numbers.

        Args:
            table: The rows.
            x: Points, in the precision of the table or a wider one.

        Returns:
            A row for each point, whether it equals the point, and whether it is the only row that does.

        Example:
            >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]])
            >>> row_index(table).find(table, torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 4.0]]))[1:]
            (tensor([ True,  True, False]), tensor([ True, False, False]))
        """
        points = x.detach().to(table.dtype)
        at = torch.searchsorted(self.key, _keys(points)).clamp_max(len(self.key) - 1)
        row, following = self.row[at], self.row[(at + 1).clamp_max(len(self.key) - 1)]
        exact = (points.to(x.dtype) == x.detach()).all(-1)
        equal = exact & (table[row] == points).all(-1)
        twice = (following != row) & (table[following] == points).all(-1)
        return row, equal, equal & ~twice


def row_index(table: Float[Tensor, "row feature"]) -> RowIndex:
    """Order the rows of a table by a key of their numbers.

    Args:
        table: The rows.

    Returns:
        What finds them again.
    """
    key, row = _keys(table.detach()).sort(stable=True)
    return RowIndex(key, row)


def _keys(rows: Float[Tensor, "*points feature"]) -> Int[Tensor, "*points"]:
    """Mix the bits of each row into a whole number; zeros of either sign are the same."""
    bits = (rows + 0.0).contiguous().view(BITS[rows.element_size()]).long()
    draw = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (rows.shape[-1],), generator=draw) | 1
    return (bits * factors.to(bits.device)).sum(-1)
