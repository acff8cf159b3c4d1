"""Records as they are shown in a session: tensors by their shape, models by their name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar

from torch import Tensor, nn

__all__ = ["ShortRepr"]

MOST = 4
"""Items of a tuple that are shown one by one."""

LONGEST = 40
"""Maximum characters shown per item of a longer tuple."""


class ShortRepr:
    """A record that fits on a line or two of a session, however much data it holds.

    A tensor is shown by type and shape, one number per sample also by its mean, a model by its class, and fields that
    are None or empty are left out.

    Example:
        >>> from dataclasses import dataclass
        >>> import torch
        >>> @dataclass(frozen=True, repr=False)
        ... class Pair(ShortRepr):
        ...     left: Tensor
        ...     right: Tensor | None = None
        >>> Pair(torch.zeros(2, 3))
        Pair(left=float32 (2, 3))
        >>> Pair(torch.tensor([1.0, 2.0]))
        Pair(left=float32 (2,) of mean 1.5)
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __repr__(self) -> str:
        """Show the fields that hold something."""
        values = ((item.name, getattr(self, item.name)) for item in fields(self) if item.repr)
        shown = ", ".join(f"{name}={_show(value)}" for name, value in values if _is_shown(value))
        return f"{type(self).__name__}({shown})"


def _is_shown(value: object) -> bool:
    """Return whether a value is shown: all but None and empty ones."""
    if isinstance(value, Tensor):
        return value.numel() > 0
    return value is not None and not (isinstance(value, tuple | str | Mapping) and not value)


def _show(value: object) -> str:
    if isinstance(value, Tensor):
        mean = f" of mean {float(value.detach().mean()):.3g}" if value.ndim == 1 and value.is_floating_point() else ""
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}{mean}"
    if isinstance(value, nn.Module):
        return type(value).__name__
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple) and len(value) > MOST:
        return f"({', '.join(_cut(_show(item)) for item in value[:2])}, ... {len(value)} in all)"
    return getattr(value, "__name__", "") or repr(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
