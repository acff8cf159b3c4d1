"""Ids of tokens that are given by their embeddings."""

from __future__ import annotations

from collections import deque

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.errors import ShapeError
from perdure.models._row_index import RowIndex, row_index
from perdure.ops.sequence import length_mask

__all__ = ["TOKEN_IDS", "TokenIds"]

TOKEN_IDS = "token_ids"
REMEMBERED = 64
"""Batches of ids that are kept, to know tokens apart whose embeddings are equal."""


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
            lengths: Valid tokens of each sample; behind them, what is no embedding is taken for padding.

        Returns:
            The ids; None where an embedding is that of no token, or of several that were not embedded before.

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
        """Look for x in the table; its order is kept until the table changes."""
        stamp = (table.data_ptr(), table._version, table.shape, x.dtype)
        rows = table.to(x.dtype) if x.element_size() < table.element_size() else table
        if self._index is not None and self._index[0] == stamp:
            found = self._index[1].find(rows, x)
            if bool(found[1].all()):
                return found
        self._index = stamp, row_index(rows)
        return self._index[1].find(rows, x)

    def _distinguish(self, table: Tensor, x: Tensor, ids: Tensor, single: Tensor) -> Tensor | None:
        """Choose among tokens with equal embeddings by the ids that were embedded last."""
        rows = []
        for row in range(len(x)):
            if bool(single[row].all()):
                rows.append(ids[row])
                continue
            fit = [some.to(x.device) for some in self._embedded if some.ndim == 2 and some.shape[1] == x.shape[1]]
            likely = [some[(some == ids[row])[:, single[row]].all(1)] for some in fit]
            alike = torch.cat([*likely, ids[:0]]).unique(dim=0)  # type: ignore[no-untyped-call]
            alike = alike[(table[alike].to(x.dtype) == x[row]).flatten(1).all(1)]
            if len(alike) != 1:
                return None
            rows.append(alike[0])
        return torch.stack(rows)


def _table(layer: nn.Embedding) -> Tensor:
    """Read the embedding of every token; a layer that changes its weights on the way is called."""
    if type(layer) is nn.Embedding and not layer._forward_hooks:
        return layer.weight.detach()
    with torch.no_grad():
        table: Tensor = layer(torch.arange(layer.num_embeddings, device=layer.weight.device))
    return table
