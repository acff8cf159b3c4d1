"""Texts as explanations see them: embeddings in place of token ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.core.protocols import Embeds
from perdure.models.adapted import bare
from perdure.ops.position import to_sites

__all__ = ["embedded"]


def embedded(model: Callable[..., Tensor], batch: Batch) -> Batch:
    """Put the embeddings of tokens in place of their ids, so that a gradient has something to hold on to.

    Args:
        model: embeds its tokens, as the protocol `Embeds` says.
        batch: texts; a batch whose inputs are floats comes back as it is.

    Returns:
        The samples with inputs (batch, time, feature), without a graph; the truth of a token holds for all
        features of its embedding. All else is kept.

    Raises:
        UnsupportedError: when the inputs are token ids and the model cannot embed them.

    Example:
        >>> class Model(torch.nn.Embedding):
        ...     def embed(self, ids):
        ...         return self(ids)
        >>> batch = Batch(torch.tensor([[0, 1]]), torch.tensor([0]), truth=torch.tensor([[True, False]]))
        >>> embedded(Model(2, 3), batch).truth.int().tolist()
        [[[1, 1, 1], [0, 0, 0]]]
    """
    if batch.inputs.is_floating_point():
        return batch
    if not isinstance(model, Embeds):
        raise UnsupportedError(
            f"the inputs are token ids, and {_name(model)} cannot be asked by their embeddings",
            "wrap a model that has an nn.Embedding: perdure.TokenModel(model); or give it a method embed(ids), and let "
            "it take embeddings (batch, time, feature) as well as ids",
        )
    with torch.no_grad():
        inputs = model.embed(batch.inputs)
    return replace(batch, inputs=inputs, truth=None if batch.truth is None else to_sites(batch.truth, inputs))


def _name(model: Callable[..., Tensor]) -> str:
    return type(bare(model) if isinstance(model, nn.Module) else model).__name__
