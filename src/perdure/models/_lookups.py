"""Follow token ids through a model: where its layer of embeddings looks them up, and what else reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from perdure.core.errors import UnsupportedError

__all__ = ["Lookups"]

MOVES = frozenset(
    [
        "__getitem__",
        "flip",
        "fliplr",
        "flipud",
        "t",
        "transpose",
        "permute",
        "T",
        "mT",
        "narrow",
        "chunk",
        "split",
        "tensor_split",
        "unbind",
        "roll",
        "index_select",
        "gather",
        "take_along_dim",
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "unsqueeze",
        "squeeze",
        "expand",
        "expand_as",
        "repeat",
        "cat",
        "concat",
        "stack",
        "select",
        "movedim",
        "swapaxes",
        "contiguous",
        "clone",
        "detach",
    ]
)
"""Functions that move numbers without reading them, so that positions move as ids do."""

CASTS = frozenset(["to", "long", "int", "cpu", "cuda", "type", "type_as", "int64", "int32"])
META = frozenset(
    [
        "shape",
        "device",
        "dtype",
        "ndim",
        "size",
        "dim",
        "numel",
        "nelement",
        "__len__",
        "stride",
        "is_cuda",
        "layout",
        "requires_grad",
        "is_floating_point",
        "is_contiguous",
        "new_zeros",
        "new_ones",
        "new_full",
        "new_empty",
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "data_ptr",
        "get_device",
        "is_sparse",
        "is_nested",
        "is_quantized",
        "is_mkldnn",
        "is_complex",
        "element_size",
        "storage_offset",
        "is_meta",
        "names",
        "_is_view",
    ]
)
"""Attributes and functions that do not read the numbers of a tensor."""


class Lookups(TorchFunctionMode):
    """Run a model on token ids, with given embeddings where its layer looks these ids up.

    The ids are followed through everything that moves them: where the layer is called with the ids in another order,
    in parts or several times, each position gets the embedding that belongs to it. Ids that the model puts there
    itself, such as a first token for all, keep the embedding of the layer.

    Args:
        model: Model with the layer; other layers with the same weights are replaced as well.
        name: Name of the layer of embeddings.
        ids: Token ids; the model gets `model_ids`, a copy that it may write to.
        x: Embeddings in their place.

    Raises:
        UnsupportedError: During the run, where the model looks the weights of the layer up without calling it, or
            calls it with numbers that are computed from the ids.
    """

    def __init__(
        self, model: nn.Module, name: str, ids: Int[Tensor, "batch time"], x: Float[Tensor, "batch time feature"]
    ) -> None:
        super().__init__()
        self.layer: Any = model.get_submodule(name)
        self.name, self.ids, self.x = name, ids, x
        self.layers = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.weight is self.layer.weight]
        self.model_ids = ids.clone()
        self.places = torch.arange(ids.numel(), device=ids.device).view(ids.shape)
        self.reads_ids = False
        """Whether the model reads the ids elsewhere than in the layer."""
        self.replaced = 0
        """How many calls of the layer got embeddings of x."""
        self.other_tables: list[Tensor] = []
        """Further tables that the ids are looked up in."""
        self._inside = False
        self._known: dict[int, tuple[Tensor, Tensor | None]] = {}
        self._note(self.model_ids, self.places)

    def __enter__(self) -> Lookups:
        self._handles = [
            *(layer.register_forward_pre_hook(self._begin) for layer in self.layers),
            *(layer.register_forward_hook(self._replace, with_kwargs=True) for layer in self.layers),
        ]
        super().__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        for handle in self._handles:
            handle.remove()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function of torch, and record where it moves the ids.

        Args:
            func: Function.
            types: Types of its arguments.
            args: Arguments.
            kwargs: Arguments by name.

        Returns:
            The result of the function.
        """
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self._inside:
            return result
        inputs = [value for value in _tensors((*args, *kwargs.values())) if id(value) in self._known]
        if inputs:
            self._follow(_name(func), args, kwargs, result, inputs)
        return result

    def _follow(self, name: str, args: Any, kwargs: Any, result: Any, inputs: list[Tensor]) -> None:
        if name in META:
            return
        if any(value is self.layer.weight for value in _tensors((*args, *kwargs.values()))):
            raise UnsupportedError(
                f"the model looks token ids up in the weights of '{self.name}' without calling this layer",
                "call the layer itself in the model, so that its output can be replaced",
            )
        if name == "embedding" and self._are_the_ids(args[0]):
            self.other_tables += [value for value in _tensors(args) if value.is_floating_point()]
        if name == "__setitem__":
            self._write(*args)
        elif name in CASTS:
            self._note(result, self._places(inputs[0]))
        elif name in MOVES and args and self._moves(args[0]):
            _each(self._note, result, _move_places(name, self._places_like(args[0]), args[1:], kwargs, result))
        elif name == "pad" and len(args) > 1 and self._places(args[0]) is not None:
            self._note(result, torch.nn.functional.pad(self._places_like(args[0]), args[1], value=-1))
        else:
            self._compute(name, args, result, inputs)

    def _are_the_ids(self, value: Tensor) -> bool:
        """Return whether numbers are, in most places, the ids that belong there."""
        places = self._places(value)
        if places is None:
            return False
        return float((self.ids.flatten()[places.clamp_min(0)] == value).double().mean()) > 0.5

    def _compute(self, name: str, args: Any, result: Any, inputs: list[Tensor]) -> None:
        """Note that numbers are computed from ids; those of the same shape, such as masked ids, keep their places."""
        self.reads_ids = True
        placed = next((value for value in inputs if self._places(value) is not None), None)
        for value in _tensors([result, args[0] if name.endswith("_") and args else None]):
            if value.is_floating_point() or value.is_complex():
                continue
            same = placed is not None and isinstance(result, Tensor) and value.shape == placed.shape
            self._note(value, self._places(placed) if same and value.dtype != torch.bool else None)

    def _write(self, target: Tensor, index: Any, value: Any) -> None:
        """Follow ids that are written into another tensor, as where a text is shifted by one step."""
        places = self._places(target)
        places = torch.full(target.shape, -1, device=target.device) if places is None else places.clone()
        moved = self._places(value) if isinstance(value, Tensor) else None
        places[index] = -1 if moved is None else moved
        self._note(target, places)

    def _moves(self, value: Any) -> bool:
        return any(self._places(part) is not None for part in _tensors([value]))

    def _places_like(self, value: Any) -> Any:
        """Put places where ids are; whatever the model adds to them has none."""
        if isinstance(value, Tensor):
            places = self._places(value)
            return torch.full(value.shape, -1, device=value.device) if places is None else places
        return type(value)(self._places_like(part) for part in value)

    def _note(self, value: Any, places: Tensor | None) -> None:
        if isinstance(value, Tensor):
            self._known[id(value)] = (value, places)  # the tensor is kept, so that its number stays its own

    def _places(self, value: Any) -> Tensor | None:
        return self._known.get(id(value), (None, None))[1]

    def _begin(self, *_: object) -> None:
        self._inside = True

    def _replace(self, layer: nn.Module, args: tuple[Any, ...], kwargs: Any, output: Tensor) -> Tensor:
        try:
            ids = args[0] if args else kwargs["input"]
            if layer is not self.layer and not torch.equal(output, type(self.layer).forward(self.layer, ids)):
                raise UnsupportedError(
                    f"the model embeds its tokens by several layers of the same weights, '{self.name}' and others, "
                    "which return different embeddings",
                    "give the model a method embed(ids), and let forward take embeddings as well as ids",
                )
            return self._embeddings(ids, output)
        finally:
            self._inside = False

    def _embeddings(self, ids: Tensor, output: Tensor) -> Tensor:
        if id(ids) not in self._known:
            return output
        places = self._places(ids)
        if places is None or output.shape[-1] != self.x.shape[-1]:
            raise UnsupportedError(
                f"the layer '{self.name}' is called with numbers that the model computes from the token ids, so it is "
                "not known which embedding belongs to which token",
                "let the layer look up the ids themselves, or give the model a method embed(ids) and let forward take "
                "embeddings as well as ids",
            )
        if places is self.places and torch.equal(ids, self.ids):
            self.replaced += 1
            return self.x.clone()
        known = (places >= 0) & (self.ids.flatten()[places.clamp_min(0)] == ids)
        self.replaced += int(bool(known.any()))
        return torch.where(known[..., None], self.x.flatten(0, 1)[places.clamp_min(0)], output.to(self.x.dtype))


def _tensors(values: Any) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(value)


def _name(func: Any) -> str:
    """Name a function of torch; that of an attribute of tensors is the attribute."""
    name: str = getattr(func, "__name__", "")
    return str(getattr(func.__self__, "__name__", name)) if name == "__get__" else name


def _move_places(name: str, moved: Any, args: Any, kwargs: Any, result: Any) -> Any:
    """Move places as ids were moved."""
    if name in ("view", "reshape", "contiguous", "flatten", "unflatten", "clone", "detach") and isinstance(
        result, Tensor
    ):
        return moved.reshape(result.shape)
    if name in ("T", "mT"):
        return getattr(moved, name)
    function = getattr(moved, name) if isinstance(moved, Tensor) and hasattr(moved, name) else None
    return getattr(torch, name)(moved, *args, **kwargs) if function is None else function(*args, **kwargs)


def _each(note: Callable[[Any, Any], None], result: Any, places: Any) -> None:
    pairs = [(result, places)] if isinstance(result, Tensor) else zip(result, places, strict=True)
    for value, places_of_value in pairs:
        note(value, places_of_value)
