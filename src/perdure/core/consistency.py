"""Whether the outputs of a model for a sample depend on that sample alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.errors import PerdureError, UnsupportedError
from perdure.core.exclusive import exclusive
from perdure.core.forward import Side, call_in_batches, evaluation, slice_side

__all__ = ["find_inconsistency", "is_known_consistent", "random_state", "set_random_state"]

STATE = "from call to call: it keeps a state or draws at random, also in evaluation mode"
MIXED = "next to other samples: it mixes the samples of a call"

_CHECKED: WeakKeyDictionary[Any, dict[Hashable, str | None]] = WeakKeyDictionary()
"""Results by model and kind of inputs, as each check costs two small calls."""


def find_inconsistency(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"],
    lengths: Int[Tensor, " batch"] | None,
    side: Side,
    rows: int,
) -> str | None:
    """Compute the outputs of two samples alone and in one call, and describe how they differ.

    A model is checked once for each shape of samples; the global random state stays as it is.

    Args:
        model: called in evaluation mode.
        x: samples, of which the first two are used; of a single one also its half.
        lengths: valid steps of each sample; None when all are.
        side: side inputs of each sample.
        rows: most rows in one call; with 1 only states and random draws can be found.

    Returns:
        What the outputs of a sample change with, or None when they do not.

    Raises:
        UnsupportedError: when the model fails with two samples in one call.
        ShapeError: when it does not return one row for each sample.

    Example:
        >>> x = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
        >>> find_inconsistency(lambda x: x - x.mean(0), x, None, {}, 2)
        'next to other samples: it mixes the samples of a call'
    """
    kind, known = _kind(x, lengths, side, rows), _results_of(model)
    if kind not in known:
        index = torch.tensor([0, min(1, len(x) - 1)])
        pair = torch.cat([x[:1], x[1:2] if len(x) > 1 else x[:1] / 2])
        with exclusive(), evaluation(model), torch.no_grad():
            before = random_state(x.device)
            known[kind] = _describe(
                model, pair, None if lengths is None else lengths[index], slice_side(side, index), min(rows, 2)
            )
            set_random_state(before)
    return known[kind]


def is_known_consistent(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"],
    lengths: Int[Tensor, " batch"] | None,
    side: Side,
    rows: int,
) -> bool:
    """Return whether an earlier call of `find_inconsistency` found that samples of this shape do not mix.

    Args:
        model: As in `find_inconsistency`.
        x: As in `find_inconsistency`.
        lengths: As in `find_inconsistency`.
        side: As in `find_inconsistency`.
        rows: As in `find_inconsistency`.

    Returns:
        False also if nothing was checked before.
    """
    return _results_of(model).get(_kind(x, lengths, side, rows), STATE) is None


def _kind(x: Tensor, lengths: Tensor | None, side: Side, rows: int) -> Hashable:
    return (tuple(x.shape[1:]), x.dtype, x.device, lengths is None, tuple(side), rows > 1)


def _results_of(model: Callable[..., Tensor]) -> dict[Hashable, str | None]:
    try:
        return _CHECKED.setdefault(model, {})
    except TypeError:  # a callable that has no hash or no weak reference
        return {}


def _describe(model: Callable[..., Tensor], pair: Tensor, lengths: Tensor | None, side: Side, rows: int) -> str | None:
    alone = call_in_batches(model, pair, lengths, side, 1)
    try:
        together = call_in_batches(model, pair, lengths, side, rows)
    except PerdureError:
        raise
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        raise UnsupportedError(
            f"the model takes one sample, but not two in one call: {error}",
            "let forward take any number of samples and begin from a fresh state, or pass batch_size=1 (on the command "
            "line --batch-size 1)",
        ) from error
    if _are_same(alone, together, model, pair):
        return None
    again = call_in_batches(model, pair, lengths, side, 1)
    return MIXED if rows > 1 and _are_same(alone, again, model, pair) else STATE


def _are_same(first: Tensor, second: Tensor, model: Callable[..., Tensor], x: Tensor) -> bool:
    """Compare outputs up to the rounding of the lowest precision; what is not finite is reported elsewhere."""
    if first.shape != second.shape:
        return False
    rounding = _rounding(model, x, first)
    first, second = first.double(), second.double()
    scale = torch.maximum(first.abs().max(), second.abs().max())
    gap = (first - second).abs().max()
    return not bool(torch.isfinite(scale)) or bool(gap <= 2 * rounding**0.5 * scale)


def _rounding(model: Callable[..., Tensor], x: Tensor, outputs: Tensor) -> float:
    """Give the relative rounding of a model: of its inputs, weights, outputs, autocast, and of TF32 on a GPU."""
    weight = next((w for w in model.parameters() if w.is_floating_point()), x) if isinstance(model, nn.Module) else x
    dtypes = [x.dtype, weight.dtype, outputs.dtype]
    if torch.amp.is_autocast_available(x.device.type) and torch.is_autocast_enabled(x.device.type):
        dtypes.append(torch.get_autocast_dtype(x.device.type))
    if x.is_cuda and x.dtype == torch.float32:
        dtypes.append(torch.float16)  # TF32 has as many digits
    return max(torch.finfo(dtype).eps for dtype in dtypes if dtype.is_floating_point)


def random_state(device: torch.device) -> dict[torch.device, Tensor]:
    """Get the global random state of torch.

    Args:
        device: Device whose generator is included, in addition to the CPU.

    Returns:
        The state of each device.

    Example:
        >>> before = random_state(torch.device("cpu"))
        >>> first = torch.rand(1)
        >>> set_random_state(before)
        >>> bool(torch.rand(1) == first)
        True
    """
    states = {torch.device("cpu"): torch.get_rng_state()}
    return {**states, device: torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_random_state(states: dict[torch.device, Tensor]) -> None:
    """Set the global random state of torch.

    Args:
        states: State of each device, from `random_state`.
    """
    for device, state in states.items():
        if device.type == "cuda":
            torch.cuda.set_rng_state(state, device)
        elif not torch.equal(torch.get_rng_state(), state):
            torch.set_rng_state(state)
