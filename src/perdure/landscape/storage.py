"""Searches in chunks, each stored when done, so that an interrupted search is resumed."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any, Generic, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from perdure.core.errors import PartError
from perdure.core.plain_json import load_json
from perdure.ops.params import Params
from perdure.records.documents import check_intact
from perdure.records.files import write_bytes
from perdure.records.seal import BLANK, seal

__all__ = [
    "REMEDY",
    "TimedState",
    "load_points",
    "load_tensors",
    "resume_search",
    "run_in_chunks",
    "save_points",
    "save_tensors",
]

CHUNK = 5.0
"""Target duration of a chunk in seconds."""

FIRST = 8
"""Units of work of the first chunk; later chunks have more or fewer, by their duration."""

State = TypeVar("State")

_DIGEST = "digest_of_file"


@dataclass(frozen=True, eq=False)
class TimedState(Generic[State]):
    """State of a search with its time over all calls.

    Args:
        state: State of the search.
        seconds: Wall time, without time lost by interruptions.
    """

    state: State
    seconds: float = 0.0


def run_in_chunks(
    kept: TimedState[State],
    is_over: Callable[[TimedState[State]], bool],
    advance: Callable[[TimedState[State], int], State],
    keep: Callable[[TimedState[State]], None],
) -> TimedState[State]:
    """Search until it is over, a few seconds at a time.

    The result does not depend on the chunks when `advance` depends on the state alone.

    Args:
        kept: State to start from.
        is_over: Predicate that ends the search.
        advance: Function that does some units of work.
        keep: Function that stores the state after each chunk.

    Returns:
        The search at its end.

    Example:
        >>> seen = []
        >>> is_over, advance = lambda now: now.state >= 20, lambda now, count: now.state + count
        >>> found = run_in_chunks(TimedState(0), is_over, advance, seen.append)
        >>> found.state, [one.state for one in seen]
        (24, [8, 24])
    """
    count = FIRST
    while not is_over(kept):
        begun = time.monotonic()
        state = advance(kept, count)
        seconds = time.monotonic() - begun
        count = max(1, count * 2 if seconds < CHUNK else count // 2)
        kept = TimedState(state, kept.seconds + seconds)
        keep(kept)
    return kept


def resume_search(load: Callable[[], TimedState[State] | None], record: Folder) -> TimedState[State] | None:
    """Load the state of an interrupted search; begin again where it is damaged, with a warning.

    Args:
        load: Function that loads the state.
        record: File that names the state, which is deleted where the state is damaged.

    Returns:
        The state, or None to begin.
    """
    try:
        return load()
    except PartError as error:
        warnings.warn(f"{error.cause}; the search begins again", stacklevel=3)
        record.unlink(missing_ok=True)
        return None


REMEDY = "delete the folder of this path, and run the same command again"
"""The remedy for files that cannot be read."""


def save_points(file: Folder, points: Sequence[Params], shape: str) -> None:
    """Store points of one kind of weights.

    Args:
        file: A .safetensors file, which then is whole.
        points: One or more points.
        shape: Class of the path.

    Raises:
        RunFolderError: If the system cannot write.
    """
    names = list(points[0])
    stacked = {name: torch.stack([point[name].detach().cpu() for point in points]) for name in names}
    save_tensors(file, stacked, {"names": names, "shape": shape})


def load_points(file: Folder) -> tuple[tuple[Params, ...], str]:
    """Load what `save_points` stored.

    Args:
        file: The .safetensors file.

    Returns:
        The points, and what they are the points of.

    Raises:
        PartError: If the file is missing or damaged.
    """
    stacked, about = load_tensors(file)
    try:
        count = len(stacked[about["names"][0]])
        points = tuple({name: stacked[name][k] for name in about["names"]} for k in range(count))
        shape = about["shape"]
    except (KeyError, IndexError, TypeError) as error:
        raise PartError(f"{file} holds no path: {error}", REMEDY) from error
    return points, shape


def save_tensors(file: Folder, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Store tensors with plain values; equal contents have equal bytes.

    Args:
        file: A .safetensors file, which then is whole.
        tensors: Tensors by name.
        about: Plain values.

    Raises:
        RunFolderError: If the system cannot write.
    """
    words = {"about": json.dumps({**about, _DIGEST: BLANK})}  # a single one, as safetensors keeps several in no order
    write_bytes(file, seal(safetensors.torch.save(dict(tensors), words)))


def load_tensors(file: Folder) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load what `save_tensors` stored.

    Args:
        file: The .safetensors file.

    Returns:
        Tensors, and what is known of them.

    Raises:
        PartError: If the file is missing or damaged.
    """
    try:
        data = file.read_bytes()
        check_intact(data)
        tensors = safetensors.torch.load(data)
        header = load_json(data[8 : 8 + int.from_bytes(data[:8], "little")])
        about = load_json(header["__metadata__"]["about"])
        about.pop(_DIGEST, None)
    except (OSError, SafetensorError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise PartError(f"{file} is missing or damaged: {error}", REMEDY) from error
    return tensors, about
