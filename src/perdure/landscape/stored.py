"""Stored paths: their points in safetensors, to the bit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path as Folder
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from perdure.core.errors import PartError
from perdure.landscape.bezier import Bezier
from perdure.landscape.path import Chain, Path
from perdure.ops.params import Params
from perdure.records.files import write_bytes

__all__ = ["AGAIN", "load_path", "load_points", "load_tensors", "save_path", "save_points", "save_tensors"]

AGAIN = "delete the folder of this path, and run the same command again"
"""The remedy for files that cannot be read."""

_SHAPES = {shape.__name__: shape for shape in (Chain, Bezier)}


def save_path(file: Folder, path: Path) -> None:
    """Store a path by the points that define it.

    Args:
        file: a .safetensors file, which then is whole.
        path: a chain or a Bezier curve.

    Raises:
        RunFolderError: when the system cannot write.
    """
    save_points(file, path.points, type(path).__name__)


def load_path(file: Folder) -> Path:
    """Load what `save_path` stored; names, order and bits of the weights are the same.

    Args:
        file: the .safetensors file.

    Returns:
        The path.

    Raises:
        PartError: when the file is missing or damaged.
    """
    points, shape = load_points(file)
    return _SHAPES[shape](points)


def save_points(file: Folder, points: Sequence[Params], shape: str) -> None:
    """Store points of one kind of weights.

    Args:
        file: a .safetensors file, which then is whole.
        points: one or more.
        shape: what they are the points of.

    Raises:
        RunFolderError: when the system cannot write.
    """
    names = list(points[0])
    stacked = {name: torch.stack([point[name].detach().cpu() for point in points]) for name in names}
    save_tensors(file, stacked, {"names": names, "shape": shape})


def load_points(file: Folder) -> tuple[tuple[Params, ...], str]:
    """Load what `save_points` stored.

    Args:
        file: the .safetensors file.

    Returns:
        The points, and what they are the points of.

    Raises:
        PartError: when the file is missing or damaged.
    """
    stacked, about = load_tensors(file)
    try:
        count = len(stacked[about["names"][0]])
        points = tuple({name: stacked[name][k] for name in about["names"]} for k in range(count))
        shape = about["shape"]
    except (KeyError, IndexError, TypeError) as error:
        raise PartError(f"{file} holds no path: {error}", AGAIN) from error
    return points, shape


def save_tensors(file: Folder, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Store tensors with what is to be known of them; equal ones give equal bytes.

    Args:
        file: a .safetensors file, which then is whole.
        tensors: by name.
        about: plain values.

    Raises:
        RunFolderError: when the system cannot write.
    """
    words = {"about": json.dumps(about)}  # a single one, as safetensors keeps several in no order
    write_bytes(file, safetensors.torch.save(dict(tensors), words))


def load_tensors(file: Folder) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load what `save_tensors` stored.

    Args:
        file: the .safetensors file.

    Returns:
        Tensors, and what is known of them.

    Raises:
        PartError: when the file is missing or damaged.
    """
    try:
        with safe_open(file, "pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            about = json.loads(stored.metadata()["about"])
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise PartError(f"{file} is missing or damaged: {error}", AGAIN) from error
    return tensors, about
