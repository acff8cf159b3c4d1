"""Layers through which all information passes, so that a bottleneck there limits what the rest of a model reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress

import torch
from torch import nn

from perdure.attribution._layer import BEFORE, FromLayer, UpToLayer, default_layer, list_mapping_layers
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import BypassWarning, UnsupportedError
from perdure.core.forward import call_model, evaluation, side_inputs, slice_side
from perdure.ops.sequence import lengths_of

__all__ = ["choose_layer", "measure_bypass"]

SMALLEST_BYPASS = 1e-3
"""Fraction of the outputs that is more than rounding."""

TRIED = 12
"""Layers that are tried, at most."""


def choose_layer(model: nn.Module, layer: str | None, batch: Batch) -> str:
    """Choose a layer through which all information passes, nearest to 60 % of the way through a network.

    Convolutions inside a residual or gated block are bypassed; then the whole block is taken.

    Args:
        model: Model that will be explained.
        layer: Name of a module, which is only checked; None to choose.
        batch: Samples, of which two are used.

    Returns:
        The name of a module.

    Raises:
        UnknownNameError: If there is no such layer.
        UnsupportedError: If the model has no layer with positions.

    Warns:
        BypassWarning: If information bypasses the named layer, or every layer.
    """
    if layer is not None:
        bypass = measure_bypass(model, layer, batch)
        if bypass > SMALLEST_BYPASS:
            _warn(layer, bypass, "leave layer= out to choose one that has no bypass, or name the whole block")
        return layer
    first = default_layer(model)
    for number, name in enumerate(_candidates(model, first)):
        if number == TRIED:
            break
        try:
            if measure_bypass(model, name, batch, mapped=True) <= SMALLEST_BYPASS:
                return name
        except UnsupportedError:
            continue
    with suppress(UnsupportedError):  # which is raised again when the layer is read
        _warn(first, measure_bypass(model, first, batch), "name a layer that has no bypass with layer=")
    return first


def measure_bypass(model: nn.Module, layer: str, batch: Batch, *, mapped: bool = False) -> float:
    """Measure which part of the outputs does not depend on a layer.

    With the outputs of the layer for one sample and the inputs of another, a model computes the outputs for the former
    where all information passes the layer.

    Args:
        model: Model.
        layer: Name of a module.
        batch: Samples, of which the first two are used.
        mapped: Whether the layer must have positions like the inputs.

    Returns:
        Largest change of the outputs, as a fraction of their difference between both samples.

    Raises:
        UnsupportedError: If the layer cannot be replaced, or has no positions.

    Example:
        >>> from torch.nn import Conv1d, Flatten, Linear, Sequential
        >>> batch = Batch(torch.randn(2, 3, 4), torch.zeros(2).long())
        >>> measure_bypass(Sequential(Conv1d(3, 2, 1), Flatten(), Linear(8, 2)), "0", batch)
        0.0
    """
    two = slice_batch(batch, slice(0, 2))
    lengths = lengths_of(two.mask)
    side = slice_side(side_inputs(model, batch.inputs, lengths_of(batch.mask)), slice(0, 2))
    with evaluation(model), torch.no_grad():
        z = UpToLayer(model, layer)(two.inputs, lengths, **side)
        if mapped and (z.ndim != two.inputs.ndim or (z.ndim == 4 and z[0, 0].numel() == 1)):
            raise UnsupportedError(f"layer '{layer}' has no positions", "name another layer")
        outputs = call_model(model, two.inputs, lengths, side)
        exchanged = FromLayer(model, layer)(z, lengths, **side, **{BEFORE: two.inputs.flip(0)})
    difference = (outputs - outputs.flip(0)).abs().max()
    return float((exchanged - outputs).abs().max() / difference) if difference > 0 else 0.0


def _candidates(model: nn.Module, first: str) -> Iterator[str]:
    """List layers by their distance from the first, each followed by the modules that contain it."""
    names = list_mapping_layers(model)
    place, seen = names.index(first) if first in names else 0, {""}
    for name in sorted(names, key=lambda name: (abs(names.index(name) - place), names.index(name) < place)):
        parts = name.split(".")
        for candidate in (".".join(parts[:end]) for end in range(len(parts), 0, -1)):
            if candidate not in seen:
                seen.add(candidate)
                yield candidate


def _warn(layer: str, bypass: float, remedy: str) -> None:
    warnings.warn(
        f"information bypasses layer '{layer}': with its output for one sample and the input of another, the outputs "
        f"of the model differ from those of the former by {bypass:.0%} of the difference between both. A bottleneck "
        f"there shows only a part of what the model reads: {remedy}.",
        BypassWarning,
        stacklevel=4,
    )
