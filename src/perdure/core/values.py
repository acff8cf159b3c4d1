"""Numbers in a setting, such as a baseline: compared, hashed, pickled, and written as text that can be read back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError, user_code_errors
from perdure.core.plain_json import load_json

__all__ = ["Values", "read_values"]

SHORT = 16
"""Most numbers that are written one by one in a name."""

RECORDED = 4096
"""Most numbers that are written one by one in a record; more are known by their digest."""

FILES = (".npy", ".safetensors")
"""Files that hold numbers and no code."""

NUMERIC = (Tensor, np.ndarray, np.generic, Sequence, int, float)
"""Types of what can hold numbers; a text is read before."""

MARK = "#"
"""Between the path of a file, or a shape, and a digest."""


class Values:
    """A tensor as a setting: two are equal when shape and numbers are.

    Args:
        tensor: any numbers; copied in double precision to the CPU.
        source: path of the file they were read from; empty for none.

    Example:
        >>> Values(torch.tensor([1.0, 2.0])) == Values(torch.tensor([1.0, 2.0])), str(Values(torch.tensor([1.0, 2.0])))
        (True, '[1.0, 2.0]')
    """

    def __init__(self, tensor: Tensor, source: str = "") -> None:
        self.tensor: Float[Tensor, "*shape"] = tensor.detach().to("cpu", torch.float64).contiguous().clone()
        self.source = source

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that identify shape and numbers."""
        shape = str(tuple(self.tensor.shape)).encode()
        return hashlib.sha256(shape + self.tensor.numpy().tobytes()).hexdigest()[:16]

    def to_record(self) -> str:
        """Write the values for a record: number by number where there are not too many, else as in a name."""
        return json.dumps(self.tensor.tolist()) if self.tensor.numel() <= RECORDED else str(self)

    def __eq__(self, other: object) -> bool:
        """Compare shape and numbers."""
        return self.digest == other.digest if isinstance(other, Values) else NotImplemented

    def __hash__(self) -> int:
        """Hash shape and numbers."""
        return hash(self.digest)

    def __str__(self) -> str:
        """Write the values in a name: as a file and its digest, as few numbers, or as a digest."""
        if self.source:
            return f"{self.source}{MARK}{self.digest}"
        if self.tensor.numel() <= SHORT:
            return json.dumps(self.tensor.tolist())
        return f"tensor{'x'.join(map(str, self.tensor.shape))}{MARK}{self.digest}"

    __repr__ = __str__


def read_values(given: Any, name: str) -> Values | float:
    """Read numbers in any of the forms in which a setting may hold them.

    Args:
        given: a number, a tensor, an array, nested lists, the samples of a batch, the path of a .npy or .safetensors
            file, or a text that `Values` wrote.
        name: name of the setting, for messages.

    Returns:
        A number, or values.

    Raises:
        SettingError: for anything else, for numbers that are not finite, and for a file that is missing, damaged, of
            another kind, or changed since its digest was written.

    Example:
        >>> read_values("1.5", "baseline"), read_values([20, 1013], "baseline")
        (1.5, [20.0, 1013.0])
    """
    if isinstance(given, Values):
        return given
    if isinstance(given, Batch):
        given = given.inputs
    source = ""
    if isinstance(given, str | Path):
        given, source = _parse(str(given), name)
    tensor = _tensor(given, name)
    if not bool(torch.isfinite(tensor).all()):
        raise SettingError(f"{name} holds NaN or infinity", "give finite numbers")
    return float(tensor) if tensor.ndim == 0 else Values(tensor, source)


def _tensor(given: Any, name: str) -> Tensor:
    if isinstance(given, bool | str) or not isinstance(given, NUMERIC):
        raise SettingError(f"{name} is {given!r}", f"give {_forms()}")
    with user_code_errors(SettingError, f"{name}={_cut(given)}", f"give {_forms()}"):
        tensor = given if isinstance(given, Tensor) else torch.as_tensor(np.asarray(given, dtype=np.float64))
    if tensor.numel() == 0 or tensor.is_complex() or tensor.dtype == torch.bool:
        raise SettingError(f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}", f"give {_forms()}")
    return tensor


def _parse(text: str, name: str) -> tuple[Any, str]:
    """Read a number, a list or the path of a file from a text; give the path too."""
    try:
        number = load_json(text)
    except ValueError:
        return _read_file(text, name)
    return number, ""


def _read_file(text: str, name: str) -> tuple[Tensor, str]:
    """Read a file, and compare it with the digest that follows its path, if any."""
    match = re.fullmatch(rf"(.*){MARK}([0-9a-f]{{16}})", text)
    path, digest = match.groups() if match else (text, "")
    if not path.endswith(FILES):
        known = digest and path.startswith("tensor")
        raise SettingError(
            f"{name} is {text!r}" + (", a tensor that is known by its digest alone" if known else ""),
            "give the tensor itself" if known else f"give {_forms()}",
        )
    with user_code_errors(
        SettingError, f"reading {name}={path}", f"give the path of one array of numbers, saved as {' or '.join(FILES)}"
    ):
        tensor = _from_safetensors(path) if path.endswith(".safetensors") else _from_numpy(path)
    if digest and Values(tensor).digest != digest:
        raise SettingError(
            f"{path} holds other numbers than when its digest was {digest}", "restore the file, or explain again"
        )
    return tensor, path


def _from_numpy(path: str) -> Tensor:
    array = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped, so that a wrong size in the header costs nothing
    return torch.from_numpy(np.array(array, dtype=np.float64))


def _from_safetensors(path: str) -> Tensor:
    from safetensors.torch import load_file

    tensors = load_file(path)
    if len(tensors) != 1:
        raise ShapeError(f"{path} holds {len(tensors)} tensors", "save a single one")
    return next(iter(tensors.values()))


def _forms() -> str:
    return "a number, a tensor, a perdure.Batch, or the path of a .npy or .safetensors file"


def _cut(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else text[:57] + "..."
