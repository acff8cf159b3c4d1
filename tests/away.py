"""A device that is somewhere else: its tensors compute on the CPU, and will not meet those that lie there.

No graphics card is needed to find what would fail on one: a tensor that was left behind. The pretended device goes by
the name of "meta", which torch has on every machine; what is not done by torch's own operators does not know of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

AWAY = torch.device("meta")
MAKERS = (torch.tensor, torch.as_tensor)
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")
"""Operators that take an index from the CPU, as they do on a graphics card."""


class Away(torch.Tensor):
    """A tensor on the pretended device."""

    @staticmethod
    def __new__(cls, inside):
        layout = {"strides": inside.stride(), "storage_offset": inside.storage_offset(), "dtype": inside.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, inside.shape, **layout, device=AWAY)

    def __init__(self, inside):
        self.inside = inside

    def __repr__(self):
        return f"Away({self.inside!r})"

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _call(func, args, kwargs or {})


class _Operators(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _call(func, args, kwargs or {})


class _Makers(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in MAKERS and _is_away(kwargs.get("device")):
            return func(*args, **{**kwargs, "device": "cpu"}).to(AWAY)
        return func(*args, **kwargs)


@contextmanager
def away() -> Iterator[str]:
    """Let there be a pretended device for a while, and give its name."""
    with _Makers(), _Operators():
        yield AWAY.type


def _is_away(device):
    return device is not None and torch.device(device) == AWAY


def _inside(value):
    return value.inside if isinstance(value, Away) else value


def _call(func, args, kwargs):
    name, moves = func.overloadpacket.__name__, kwargs.get("device") is not None
    there = [item for item in tree_leaves((args, kwargs)) if isinstance(item, Away)]
    if there and name != "copy_" and not (name in INDEXING and isinstance(args[0], Away)):
        _check_together(func, args, kwargs)
    result = func(*tree_map(_inside, args), **tree_map(_inside, _at_home(kwargs)))
    stays = isinstance(args[0], Away) if name == "copy_" else bool(there) and not moves
    if not (stays or _is_away(kwargs.get("device"))):
        return result
    same = {id(item.inside): item for item in there}
    return tree_map(
        lambda item: same[id(item)] if id(item) in same else Away(item) if isinstance(item, torch.Tensor) else item,
        result,
    )


def _at_home(kwargs):
    return {**kwargs, "device": torch.device("cpu")} if _is_away(kwargs.get("device")) else kwargs


def _check_together(func, args, kwargs):
    """Reject what a graphics card rejects: operands on two devices, unless one is a mere number."""
    tensors = [item for item in tree_leaves((args, kwargs)) if isinstance(item, torch.Tensor)]
    left = [tuple(item.shape) for item in tensors if not isinstance(item, Away) and item.ndim]
    if left:
        raise RuntimeError(f"{func}: a tensor of shape {left[0]} was left on the CPU")
