"""Ids of tokens that are given by their embeddings, found in the table by their numbers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from perdure.core.errors import ShapeError
from perdure.ops.sequence import length_mask

__all__ = ["TOKEN_IDS", "RowIndex", "TokenIds", "index_rows"]


BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, eq=False)
class RowIndex:
    """The rows of a table, ordered by a key of their numbers.

    Args:
        key: Keys, ascending.
        row: Row of each key.
    """

    key: Int[Tensor, " row"]
    row: Int[Tensor, " row"]

    def find(
        self, table: Float[Tensor, "row feature"], x: Float[Tensor, "*points feature"]
    ) -> tuple[Int[Tensor, "*points"], Bool[Tensor, "*points"], Bool[Tensor, "*points"]]:
        """Find the row that equals each point in all its numbers.

        Args:
            table: Rows.
            x: Points, in the precision of the table or a wider one.

        Returns:
            A row for each point, whether it equals the point, and whether it is the only row that does.

        Example:
            >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]])
            >>> index_rows(table).find(table, torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 4.0]]))[1:]
            (tensor([ True,  True, False]), tensor([ True, False, False]))
        """
        points = x.detach().to(table.dtype)
        at = torch.searchsorted(self.key, _keys(points)).clamp_max(len(self.key) - 1)
        row, following = self.row[at], self.row[(at + 1).clamp_max(len(self.key) - 1)]
        exact = (points.to(x.dtype) == x.detach()).all(-1)
        equal = exact & (table[row] == points).all(-1)
        twice = (following != row) & (table[following] == points).all(-1)
        return row, equal, equal & ~twice


def index_rows(table: Float[Tensor, "row feature"]) -> RowIndex:
    """Order the rows of a table by a key of their numbers.

    Args:
        table: Rows.

    Returns:
        The index that finds them again.
    """
    key, row = _keys(table.detach()).sort(stable=True)
    return RowIndex(key, row)


def _keys(rows: Float[Tensor, "*points feature"]) -> Int[Tensor, "*points"]:
    """Mix the bits of each row into a whole number; zeros of either sign are the same."""
    bits = (rows + 0.0).contiguous().view(BITS[rows.element_size()]).long()
    draw = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (rows.shape[-1],), generator=draw) | 1
    return (bits * factors.to(bits.device)).sum(-1)


TOKEN_IDS = "token_ids"
REMEMBERED = 64
"""Number of batches of ids that are kept, to distinguish tokens whose embeddings are equal."""


class TokenIds:
    """The ids of embeddings, found again in the table by their numbers."""

    def __init__(self) -> None:
        self._embedded: deque[Tensor] = deque(maxlen=REMEMBERED)
        self._index: tuple[tuple[object, ...], RowIndex] | None = None

    def remember(self, ids: Int[Tensor, "batch time"]) -> None:
        """Keep ids that were embedded.

        Args:
            ids: Token ids.
        """
        self._embedded.append(ids.detach().clone())

    def find(
        self, layer: nn.Embedding, x: Float[Tensor, "batch time feature"], lengths: Int[Tensor, " batch"] | None
    ) -> Int[Tensor, "batch time"] | None:
        """Find the ids of embeddings.

        Args:
            layer: Layer of embeddings.
            x: Embeddings.
            lengths: Valid tokens of each sample; after them, points that are no embedding are padding.

        Returns:
            The ids; None where an embedding belongs to no token, or to several that were not embedded before.

        Raises:
            ShapeError: When the embeddings have another shape than those of the layer.
        """
        if x.ndim != 3 or x.shape[2] != layer.embedding_dim:
            raise ShapeError(
                f"the embeddings have shape {tuple(x.shape)}, those of the model (batch, time, {layer.embedding_dim})",
                "give embeddings made by model.embed(ids), or name another layer with embedding=...",
            )
        table = _table(layer)
        ids, equal, single = self._rows(table, x)
        if lengths is not None and layer.padding_idx is not None:
            padded = ~length_mask(lengths.to(x.device), x.shape[1]) & ~equal
            ids, equal, single = ids.masked_fill(padded, layer.padding_idx), equal | padded, single | padded
        if not bool(equal.all()):
            return None
        return ids if bool(single.all()) else self._distinguish(table, x, ids, single)

    def _rows(self, table: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find x in the table; the index is kept until the table changes."""
        stamp = (table.data_ptr(), table._version, table.shape, x.dtype)
        rows = table.to(x.dtype) if x.element_size() < table.element_size() else table
        if self._index is not None and self._index[0] == stamp:
            result = self._index[1].find(rows, x)
            if bool(result[1].all()):
                return result
        self._index = stamp, index_rows(rows)
        return self._index[1].find(rows, x)

    def _distinguish(self, table: Tensor, x: Tensor, ids: Tensor, single: Tensor) -> Tensor | None:
        """Choose among tokens with equal embeddings by the ids that were embedded last."""
        rows = []
        for row in range(len(x)):
            if bool(single[row].all()):
                rows.append(ids[row])
                continue
            fit = [known.to(x.device) for known in self._embedded if known.ndim == 2 and known.shape[1] == x.shape[1]]
            likely = [known[(known == ids[row])[:, single[row]].all(1)] for known in fit]
            alike = torch.cat([*likely, ids[:0]]).unique(dim=0)
            alike = alike[(table[alike].to(x.dtype) == x[row]).flatten(1).all(1)]
            if len(alike) != 1:
                return None
            rows.append(alike[0])
        return torch.stack(rows)


def _table(layer: nn.Embedding) -> Tensor:
    """Read the embedding of every token; a layer that modifies its weights is called."""
    if type(layer) is nn.Embedding and not layer._forward_hooks:
        return layer.weight.detach()
    with torch.no_grad():
        table: Tensor = layer(torch.arange(layer.num_embeddings, device=layer.weight.device))
    return table
