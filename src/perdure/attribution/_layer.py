"""Layers: what a model computes inside, read and replaced without changing the model."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from perdure.core.errors import UnknownNameError, UnsupportedError
from perdure.core.forward import NO_SIDE, call_in_batches, call_model, evaluation, run_eagerly
from perdure.core.precision import widen
from perdure.core.query import Query, slice_query

__all__ = ["FromLayer", "UpToLayer", "default_layer", "find_layer", "list_mapping_layers", "query_layer"]

COMPILED = "_orig_mod."
"""Prefix of module names under torch.compile."""

DEPTH = 0.6
"""Relative depth of the default layer: conv4_1 in VGG16, the third of four LSTMs."""

BEFORE = "inputs_before_the_layer"
"""The side input of a network behind a layer that holds the inputs of the whole."""

MAPPING = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.RNNBase)
"""Modules whose output still has positions."""


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Find a module by its name.

    Args:
        model: Model that contains it.
        name: as in `model.named_modules()`, such as "features.17".

    Returns:
        The module.

    Raises:
        UnknownNameError: when there is none, with the nearest names.

    Example:
        >>> find_layer(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), "1")
        ReLU()
    """
    modules = {name.replace(COMPILED, ""): module for name, module in model.named_modules()}
    if name in modules and name:
        return modules[name]
    names = [known for known in modules if known]
    shown = difflib.get_close_matches(name, names, 5, 0.5) or names[:20]
    raise UnknownNameError(f"no layer is called '{name}'", f"choose from {', '.join(shown)}")


def default_layer(model: nn.Module) -> str:
    """Return the layer to explain by default: 60 % of the way through convolutions and recurrences.

    Args:
        model: Model with such layers; without them, 60 % of the way through its linear layers, the last left out.

    Returns:
        The name of a module.

    Raises:
        UnsupportedError: when the model has none of these.

    Example:
        >>> default_layer(nn.Sequential(*[nn.Conv1d(2, 2, 1) for _ in range(4)]))
        '2'
    """
    names = list_mapping_layers(model)
    if not names:
        known = [name.replace(COMPILED, "") for name, _ in model.named_modules() if name]
        raise UnsupportedError(
            f"{type(model).__name__} has no convolution, recurrence or hidden linear layer to explain",
            f"name one of its modules with layer=, from {', '.join(known) or 'none'}",
        )
    return names[int(-(-len(names) * DEPTH // 1)) - 1]


def list_mapping_layers(model: nn.Module) -> list[str]:
    """List convolutions and recurrences in their order; without them the linear layers, the last left out.

    Args:
        model: Model with such layers.

    Returns:
        Names of modules.

    Example:
        >>> list_mapping_layers(nn.Sequential(nn.Conv1d(2, 2, 1), nn.Flatten(), nn.Linear(2, 2)))
        ['0']
    """
    named = [(name.replace(COMPILED, ""), module) for name, module in model.named_modules() if name]
    names = [name for name, module in named if isinstance(module, MAPPING)]
    return names or [name for name, module in named if isinstance(module, nn.Linear)][:-1]


class UpToLayer(nn.Module):
    """The first part of a model: it computes the output of a layer and stops there.

    Args:
        model: The whole model.
        layer: name of the last module that runs.

    Example:
        >>> UpToLayer(nn.Sequential(nn.Flatten(), nn.Softmax(1)), "0")(torch.ones(1, 2, 2))
        tensor([[1., 1., 1., 1.]])
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, x: Tensor, lengths: Tensor | None = None, **side: Tensor) -> Tensor:
        """Compute the output of the layer.

        Args:
            x: the inputs of the model.
            lengths: valid steps of each sample; None when all are.
            side: side inputs of the model.

        Returns:
            Its output, batch first, in at least single precision; of a recurrence the outputs of all steps.

        Raises:
            UnsupportedError: when the layer does not run, or gives no tensor.
        """
        module = find_layer(self.model, self.layer)

        def stop(_module: nn.Module, _args: Any, output: Any) -> None:
            raise _Reached(widen(_tensor(module, output, self.layer, x.shape[1]).clone()))

        with run_eagerly(), _hook(module, stop):
            try:
                call_model(self.model, x, lengths, side)
            except _Reached as reached:
                return reached.output
        raise _unused_layer_error(self.layer)


class FromLayer(nn.Module):
    """The last part of a model: it computes the outputs from the output of a layer.

    The outputs of the layer are replaced. Where a model reads the final state of a recurrence, that state becomes
    the replaced output of its last step, so that no information goes round it; the cell state of an LSTM stays.

    Args:
        model: The whole model.
        layer: name of the module whose outputs are replaced.
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, z: Tensor, lengths: Tensor | None = None, **side: Tensor) -> Tensor:
        """Run the rest of the model from a given layer output.

        Args:
            z: its outputs, batch first.
            lengths: valid steps of each sample; None when all are.
            side: side inputs of the model, and under `BEFORE` its inputs, one row for each of z, for the rest of what
                it computes.

        Returns:
            The outputs of the model.

        Raises:
            UnsupportedError: when the layer runs not once, or gives no tensor.
        """
        module, calls = find_layer(self.model, self.layer), []

        def put(_module: nn.Module, _args: Any, output: Any) -> Any:
            calls.append(1)
            return _replace(module, output, z, self.layer)

        with run_eagerly(), _hook(module, put):
            outputs = call_model(self.model, side.pop(BEFORE), lengths, side)
        if not calls:
            raise _unused_layer_error(self.layer)
        if len(calls) > 1:
            raise UnsupportedError(
                f"layer '{self.layer}' runs {len(calls)} times for one prediction", "name a layer that runs once"
            )
        return outputs


def query_layer(query: Query, layer: str) -> Query:
    """Return a query about the output of a layer.

    Args:
        query: Query about the inputs; its model is a module.
        layer: name of a module.

    Returns:
        A query whose `x` is the output of the layer for the inputs; its passes count with the others.

    Raises:
        UnknownNameError: when there is no such layer.
        UnsupportedError: when the model is no module, or the layer cannot be replaced.
    """
    if not isinstance(query.model, nn.Module):
        raise UnsupportedError(
            f"the model is a {type(query.model).__name__}, so its layers cannot be found",
            "pass a torch.nn.Module, or a method that needs no layer",
        )
    # Convolutions round a single sample otherwise than two: one sample is doubled, as in larger batches.
    several = query if len(query.x) > 1 else slice_query(query, torch.tensor([0, 0]))
    query.passes.forward += len(several.x)
    with evaluation(query.model), torch.no_grad():
        z = call_in_batches(
            UpToLayer(query.model, layer), several.x, several.lengths, several.side or NO_SIDE, query.rows
        )
    if len(z) != len(several.x) or not z.is_floating_point():
        raise UnsupportedError(
            f"layer '{layer}' gives shape {tuple(z.shape)} of {z.dtype} for {len(several.x)} samples",
            "name a layer whose output has one row per sample",
        )
    side = {**(query.side or NO_SIDE), BEFORE: query.x}
    return replace(query, model=FromLayer(query.model, layer), x=z[: len(query.x)], side=side, target=query.bound)


class _Reached(Exception):  # noqa: N818 - it is no error
    """Carries the output of a layer out of the model."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output


@contextmanager
def _hook(module: nn.Module, hook: Callable[[nn.Module, Any, Any], Any]) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        with run_eagerly():
            yield
    finally:
        handle.remove()


def _unused_layer_error(layer: str) -> UnsupportedError:
    return UnsupportedError(f"layer '{layer}' does not run when the model predicts", "name a layer that does")


def _tensor(module: nn.Module, output: Any, layer: str, steps: int = 0) -> Tensor:
    """Read the tensor of an output, batch first; unpack it to at least that many steps."""
    if isinstance(output, Tensor):
        return output
    if isinstance(module, nn.RNNBase):
        result = output[0]
        if isinstance(result, PackedSequence):
            return pad_packed_sequence(result, batch_first=True, total_length=max(steps, len(result.batch_sizes)))[0]
        every: Tensor = result
        return every if module.batch_first else every.transpose(0, 1)
    raise UnsupportedError(
        f"layer '{layer}' gives {type(output).__name__}, no tensor", "name a layer that gives a tensor, or a recurrence"
    )


def _replace(module: nn.Module, output: Any, z: Tensor, layer: str) -> Any:
    """Put a copy of a tensor in the place of that which `_tensor` reads, as the model may write to it in place."""
    z = z.to(_tensor(module, output, layer).dtype, copy=True)
    if not isinstance(module, nn.RNNBase):
        return z
    steps, state = output
    if isinstance(steps, PackedSequence):
        lengths = pad_packed_sequence(steps, batch_first=True)[1]
        replaced: Any = _pack(steps, z, lengths)
    else:
        lengths = torch.full((len(z),), z.shape[1])
        replaced = z if module.batch_first else z.transpose(0, 1)
    hidden, *cell = state if isinstance(state, tuple) else (state,)
    final = _final_state(module, hidden, z, lengths)
    return replaced, (final, *cell) if cell else final


def _pack(like: PackedSequence, z: Tensor, lengths: Tensor) -> PackedSequence:
    order = torch.arange(len(z)) if like.sorted_indices is None else like.sorted_indices
    data = pack_padded_sequence(z[order], lengths[order.cpu()], batch_first=True).data
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)


def _final_state(module: nn.RNNBase, hidden: Tensor, z: Tensor, lengths: Tensor) -> Tensor:
    """Let the state of the last layer be its outputs at the last step, and at the first one backwards."""
    ahead, *back = z.chunk(2, 2) if module.bidirectional else (z,)
    last = [ahead[torch.arange(len(z)), lengths.to(z.device) - 1], *(item[:, 0] for item in back)]
    return torch.cat([hidden[: -len(last)], torch.stack(last)])
