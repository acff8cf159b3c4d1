"""Event series of the user, in the layout that was published with the attention-based explanations."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, cat
from torch.nn.functional import pad

from perdure.core.batch import Batch
from perdure.core.check import check_inputs
from perdure.core.errors import DataError, LabelError, ShapeError
from perdure.data._read.guard import named_errors
from perdure.data._read.stored_arrays import Stored, list_arrays, read_array
from perdure.data._splits import Splits, split
from perdure.data.planted_events import NO_EVENT
from perdure.ops.sequence import length_mask

__all__ = ["Events"]

PARTS = ("train", "val", "test")
NAMES = "types.txt"
NAME = re.compile(r"x((?:_(train|val|test))?(?:_(\d{1,9}))?)")


@dataclass(frozen=True)
class Events:
    """Event series from a folder of .npy files, or from one .npz archive with arrays of the same names.

    A name is a letter, a split and a number, as in `x_train_0`. The series of one number have one length.

    - `x`: floats, (samples, time, feature), features of each event; read as float32.
    - `y`: 0 or 1, (samples, classes) or (samples, 1, classes), 1 at the class.
    - `f`: 0 or 1, (samples, time, types), 1 at the type of the event; a step may have none or several.
    - `e`: 0 or 1, (samples, types), 1 at the types that occur; may be left out.
    - `types`: text, the name of each type; in a folder they may be lines of the file types.txt; numbers when left out.

    The splits are "train", "val" and "test". Without them, as in `x_0` or just `x`, the seed draws 60, 20 and 20 %;
    without numbers there is one length. Other arrays are not read, and nothing is unpickled.

    A step becomes its features followed by its types. `hierarchical` and `attention` take the number of types from the
    data, unless it is set, as in `attention:types=2538`. Shorter series are padded with zeros.

    Args:
        path: Folder or the archive.

    Reference:
        ger2020reproducibility

    Notes:
        `event` is the type of a step, -1 for none; where any step has several there is no `event`.
    """

    path: str

    def load(self, seed: int) -> Splits:
        """Read and check the arrays.

        Args:
            seed: Seed of the split, when the names do not have one.

        Returns:
            The splits; a sample is named by the rest of the name of its array and its row, "train-000-000000".

        Raises:
            DataError: When the arrays cannot be used; subclasses name the case.
        """
        path = Path(self.path).expanduser()
        if not path.exists():
            raise DataError(
                f"there is no folder and no file '{path}'", "give a folder of .npy files, or an .npz archive"
            )
        stored = list_arrays(path, "write it with numpy.savez(path, x=..., y=..., f=...)")
        result = [match for name in stored if (match := NAME.fullmatch(name))]
        result.sort(key=lambda match: int(match[3] or 0))
        splits = {match[2] for match in result}
        if splits not in ({None}, set(PARTS)):
            raise DataError(
                f"the arrays x in '{self.path}' have the splits {sorted(map(str, splits))}",
                "name them x_train_0, x_val_0, x_test_0 and so on, or leave the split out of all names",
            )
        ordered = [None] if splits == {None} else list(PARTS)
        buckets = {item: [_bucket(stored, match) for match in result if match[2] == item] for item in ordered}
        classes = _classes([bucket for group in buckets.values() for bucket in group])
        types = _types(stored, path, buckets[ordered[0]][0].f.shape[2])
        if splits == {None}:
            return replace(split(_batch(buckets[None]), classes, seed), types=types)
        train, validation, test = (_batch(buckets[item]) for item in PARTS)
        return Splits(train, validation, test, classes, types=types)


@dataclass(frozen=True, eq=False)
class _Bucket:
    """Series of one length; the name is empty where the arrays have neither split nor number."""

    name: str
    x: Float[Tensor, "sample time feature"]
    y: Int[Tensor, "sample class"]
    f: Bool[Tensor, "sample time type"]


def _bucket(stored: Stored, match: re.Match[str]) -> _Bucket:
    names = {letter: letter + match[1] for letter in "xyfe"}
    values = _floats(stored, names["x"])
    check_inputs(values, f"'{names['x']}'", rank=3)
    label, types = (_marks(stored, names[letter]) for letter in "yf")
    label = label[:, 0] if label.ndim == 3 and label.shape[1] == 1 else label
    _check_shape(names["y"], label, (len(values), -1))
    _check_shape(names["f"], types, (*values.shape[:2], -1))
    wrong = label.sum(1) != 1
    if wrong.any():
        raise LabelError(
            f"row {int(wrong.int().argmax())} of '{names['y']}' does not have exactly one 1", "mark one class for each"
        )
    if names["e"] in stored:
        _check_present(names["e"], _marks(stored, names["e"]), types)
    number = match[3] and f"{int(match[3]):03d}"
    return _Bucket("-".join(filter(None, (match[2], number))), values, label, types)


def _floats(stored: Stored, name: str) -> Tensor:
    values = _array(stored, name)
    if values.dtype.kind != "f":
        raise ShapeError(f"'{name}' has dtype {values.dtype}", "store floats, such as x.astype('float32')")
    with np.errstate(over="ignore"):
        return torch.from_numpy(values.astype(np.float32))


def _marks(stored: Stored, name: str) -> Bool[Tensor, "*shape"]:
    values = _array(stored, name)
    if values.dtype.kind not in "biuf" or not ((values == 0) | (values == 1)).all():
        raise DataError(f"'{name}' holds values other than 0 and 1", "store 1 where something is so, and 0 elsewhere")
    return torch.from_numpy(values.astype(bool))


def _array(stored: Stored, name: str) -> np.ndarray:
    if name not in stored:
        raise DataError(f"there is no array '{name}'", "store x, y and f under each split and number")
    return read_array(stored, name)


def _check_shape(name: str, values: Tensor, shape: tuple[int, ...]) -> None:
    """Compare all axes but the last, which must hold something."""
    if values.ndim != len(shape) or values.shape[:-1] != shape[:-1] or not values.shape[-1]:
        raise ShapeError(
            f"'{name}' has shape {tuple(values.shape)} for an 'x' of {shape[0]} samples",
            "store x (samples, time, feature), y (samples, classes), f (samples, time, types) and e (samples, types)",
        )


def _check_present(name: str, present: Tensor, types: Bool[Tensor, "sample time type"]) -> None:
    _check_shape(name, present, (len(types), -1))
    if not torch.equal(present, types.any(1)):
        raise DataError(
            f"'{name}' marks other types than those that occur in its 'f'", "mark those that occur, or leave 'e' out"
        )


def _classes(buckets: list[_Bucket]) -> tuple[str, ...]:
    """Name the classes by their numbers, once all arrays are known to have the same axes."""
    sizes: dict[tuple[int, ...], str] = {}
    for item in buckets:
        sizes.setdefault(tuple(part.shape[-1] for part in (item.x, item.f, item.y)), item.name)
    if len(sizes) > 1:
        result = ", ".join(f"{size} in '{name}'" for size, name in sizes.items())
        raise ShapeError(f"features, types and classes are {result}", "store the same of each in all arrays")
    classes = buckets[0].y.shape[1]
    if classes < 2:
        raise LabelError("'y' has a single class", "give two columns or more, one for each class")
    return tuple(str(item) for item in range(classes))


def _types(stored: Stored, path: Path, count: int) -> tuple[str, ...]:
    """Read the names of the types, or number them."""
    if (path / NAMES).is_file():
        with named_errors(f"'{path / NAMES}' cannot be read", "write it again, in UTF-8"):
            names = (path / NAMES).read_text(encoding="utf-8").splitlines()
    elif "types" in stored:
        values = _array(stored, "types")
        if values.dtype.kind != "U" or values.ndim != 1:
            raise ShapeError(
                f"'types' has shape {values.shape} and dtype {values.dtype}",
                "store one name for each, numpy.array(['person', 'act'])",
            )
        names = values.tolist()
    else:
        names = [f"type {number}" for number in range(count)]
    if len(names) != count or len(set(names)) < count:
        raise DataError(
            f"there are {len(names)} names of types, {len(set(names))} of them different, for {count} types in 'f'",
            "give each type a unique name, in the order of the columns of 'f'",
        )
    return tuple(names)


def _batch(buckets: list[_Bucket]) -> Batch:
    longest = max(item.x.shape[1] for item in buckets)
    lengths = torch.tensor([item.x.shape[1] for item in buckets for _ in item.x])
    x, f = (cat([pad(part, (0, 0, 0, longest - part.shape[1])) for part in group]) for group in _columns(buckets))
    event = f.int().argmax(2).masked_fill(~f.any(2), NO_EVENT)
    names = tuple(f"{item.name}-{row:06d}".lstrip("-") for item in buckets for row in range(len(item.x)))
    label = cat([item.y for item in buckets]).int().argmax(1)
    batch = Batch(cat([x, f.to(x.dtype)], 2), label, length_mask(lengths, longest), id=names)
    return batch if (f.sum(2) > 1).any() else replace(batch, event=event)


def _columns(buckets: list[_Bucket]) -> tuple[list[Tensor], list[Tensor]]:
    return [item.x for item in buckets], [item.f for item in buckets]
