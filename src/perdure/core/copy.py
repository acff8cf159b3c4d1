"""Copies of models that share nothing with the original; errors name the module that cannot be copied."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from perdure.core.errors import UnsupportedError, user_code_errors
from perdure.core.exclusive import exclusive

__all__ = ["copy_module", "without_graphs"]

Model = TypeVar("Model")

LOCKS = {type(make()): make for make in (threading.Lock, threading.RLock)}
"""How a fresh lock of each kind is made: a lock cannot be copied, and guards nothing in a copy."""


def copy_module(model: Model) -> Model:
    """Copy a model with its weights and its mode.

    A tensor that a forward pass has left on a module, such as the `weight` of `torch.nn.utils.weight_norm`, is copied
    by value without its graph. Locks of the copy are fresh, and its random generators continue from the same state.

    Args:
        model: a module, or any other callable.

    Returns:
        The copy.

    Raises:
        UnsupportedError: for a lazy module before its first forward pass, and for a module that holds what cannot be
            copied, such as an open file.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> model.last = model(torch.ones(1, 2))  # with its graph, which copy.deepcopy rejects
        >>> bool(copy_module(model)(torch.ones(1, 2)) == model.last)
        True
    """
    if not isinstance(model, nn.Module):
        return copy.deepcopy(model)
    _check_initialised(model)
    with exclusive(), user_code_errors(UnsupportedError, f"copying {type(model).__name__}", lambda: _remedy(model)):
        result = copy.deepcopy(model, _substitutes(model))
    for weight in result.parameters():
        if not weight.is_leaf:  # torch.jit copies weights with a graph, and no optimiser takes those
            weight.detach_().requires_grad_()
    return result


def without_graphs(work: Any) -> Any:
    """Replace modules that hold tensors with a graph, which cannot be sent to another process, by copies.

    Args:
        work: any object; dataclasses, lists, tuples and mappings are searched.

    Returns:
        The same object where there is no such module, otherwise a new one; the argument is not changed.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> without_graphs((model, 3))[0] is model
        True
        >>> model.last = model(torch.ones(1, 2))
        >>> without_graphs((model, 3))[0].last.requires_grad
        False
    """
    if isinstance(work, nn.Module):
        items = (item for module in work.modules() for item in _special_items(vars(module), set()))
        return copy_module(work) if any(isinstance(item, Tensor) for item in items) else work
    if is_dataclass(work) and not isinstance(work, type):
        values = {field.name: getattr(work, field.name) for field in fields(work) if field.init}
        new = without_graphs(values)
        return work if new is values else replace(work, **new)
    if isinstance(work, dict):
        pairs = {key: without_graphs(value) for key, value in work.items()}
        return work if all(pairs[key] is work[key] for key in work) else pairs
    if type(work) in (list, tuple):
        items = type(work)(without_graphs(item) for item in work)
        return work if all(new is old for new, old in zip(items, work, strict=True)) else items
    return work


def _check_initialised(model: nn.Module) -> None:
    for name, module in model.named_modules():
        tensors = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        if any(is_lazy(value) for value in tensors):
            raise UnsupportedError(
                f"module '{name}' of {type(model).__name__} is lazy and has no weights yet",
                "run one forward pass before, for example model(x[:1])",
            )


def _substitutes(model: nn.Module) -> dict[int, Any]:
    """Copy in advance what `deepcopy` cannot copy; it takes these copies for the objects with their identity."""
    copies: dict[int, Any] = {}
    for module in model.modules():
        for item in _special_items(vars(module), set()):
            if isinstance(item, Tensor):
                copies[id(item)] = item.detach().clone()
            elif isinstance(item, torch.Generator):
                copies[id(item)] = item.clone_state()
            else:
                copies[id(item)] = LOCKS[type(item)]()
    return copies


def _special_items(item: object, seen: set[int]) -> Iterator[Any]:
    """List the tensors with a graph, generators and locks in containers and plain objects; modules list their own."""
    if id(item) in seen:
        return
    seen.add(id(item))
    if (isinstance(item, Tensor) and not item.is_leaf) or isinstance(item, (torch.Generator, *LOCKS)):
        yield item
    elif isinstance(item, Mapping):
        for value in item.values():
            yield from _special_items(value, seen)
    elif isinstance(item, list | tuple | set):
        for value in item:
            yield from _special_items(value, seen)
    elif not isinstance(item, nn.Module | Tensor | type) and not callable(item) and hasattr(item, "__dict__"):
        yield from _special_items(vars(item), seen)


def _remedy(model: nn.Module) -> str:
    """Name the module and the attribute that cannot be copied, the innermost one."""
    copies = _substitutes(model)
    for name, module in reversed(list(model.named_modules())):
        for key, value in vars(module).items():
            if key != "_modules" and not _can_copy(value, copies):
                place = f"module '{name}'" if name else "the model itself"
                return (
                    f"{place} ({type(module).__name__}) holds '{key}', a {type(value).__name__}, which cannot be "
                    "copied: keep it outside of the module, or give the module a method __deepcopy__"
                )
    return "give the model a method __deepcopy__"


def _can_copy(value: object, copies: Mapping[int, Any]) -> bool:
    try:
        with user_code_errors(UnsupportedError, "copying", ""):
            copy.deepcopy(value, dict(copies))
    except UnsupportedError:
        return False
    return True
