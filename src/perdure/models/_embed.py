"""Samples as inputs of a model: on its device, with embeddings in place of token ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from perdure.core.abilities import HasEmbedding
from perdure.core.batch import Batch
from perdure.core.device import device_of
from perdure.core.errors import UnsupportedError
from perdure.models._adapted import unwrap
from perdure.ops.position import to_sites

__all__ = ["embed_batch"]


def embed_batch(model: Callable[..., Tensor], batch: Batch) -> Batch:
    """Put the embeddings of tokens in place of their ids, so that they have gradients.

    The whole batch is moved to the device of the model.

    Args:
        model: Model that embeds its tokens, by the protocol `HasEmbedding`.
        batch: Texts; floating point inputs are kept.

    Returns:
        The samples with inputs (batch, time, feature), without a graph; the truth of a token holds for all
        features of its embedding. All else is unchanged.

    Raises:
        UnsupportedError: When the inputs are token ids and the model cannot embed them.

    Example:
        >>> class Model(torch.nn.Embedding):
        ...     def embed(self, ids):
        ...         return self(ids)
        >>> batch = Batch(torch.tensor([[0, 1]]), torch.tensor([0]), truth=torch.tensor([[True, False]]))
        >>> embed_batch(Model(2, 3), batch).truth.int().tolist()
        [[[1, 1, 1], [0, 0, 0]]]
    """
    batch = _at(device_of(model), batch)
    if batch.inputs.is_floating_point():
        return batch
    if not isinstance(model, HasEmbedding):
        raise UnsupportedError(
            f"the inputs are token ids, and {_name(model)} cannot be called with their embeddings",
            "wrap a model that has an nn.Embedding: perdure.TokenModel(model); or give it a method embed(ids), and let "
            "it take embeddings (batch, time, feature) as well as ids",
        )
    with torch.no_grad():
        inputs = model.embed(batch.inputs)
    return replace(batch, inputs=inputs, truth=None if batch.truth is None else to_sites(batch.truth, inputs))


def _at(device: torch.device, batch: Batch) -> Batch:
    """Move samples to a device; return those that are there unchanged."""
    if batch.inputs.device == device:
        return batch
    values: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    moved = {name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)}
    return Batch(**{**values, **moved})


def _name(model: Callable[..., Tensor]) -> str:
    return type(unwrap(model) if isinstance(model, nn.Module) else model).__name__
