"""A digest of a model's weights, remembered while they do not change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

__all__ = ["digest_tensors", "model_digest"]

_REMEMBERED: WeakKeyDictionary[nn.Module, tuple[tuple[tuple[int, int], ...], str]] = WeakKeyDictionary()


def model_digest(model: Callable[..., Any]) -> str:
    """Hash the names, shapes and values of a model's weights.

    Args:
        model: a module; any other callable has no weights to hash.

    Returns:
        Sixteen hexadecimal digits, or "none".

    Example:
        >>> a, b = nn.Linear(2, 1), nn.Linear(2, 1)
        >>> _ = b.load_state_dict(a.state_dict())
        >>> model_digest(a) == model_digest(b)
        True
    """
    if not isinstance(model, nn.Module):
        return "none"
    state = model.state_dict()
    version = tuple((value.data_ptr(), value._version) for value in state.values() if isinstance(value, Tensor))
    remembered = _REMEMBERED.get(model)
    if remembered is None or remembered[0] != version:
        _REMEMBERED[model] = remembered = (version, digest_tensors(state))
    return remembered[1]


def digest_tensors(state: Mapping[str, Any]) -> str:
    """Hash names, shapes and values of tensors.

    Args:
        state: Tensors by name; of other values only the name counts.

    Returns:
        Sixteen hexadecimal digits.

    Example:
        >>> digest_tensors({"a": torch.ones(2)}) == digest_tensors({"a": torch.ones(1, 2)})
        False
    """
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        if isinstance(value, Tensor):
            digest.update(str(tuple(value.shape)).encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
