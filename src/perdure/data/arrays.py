"""Series of the user, from one .npz archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.check import check_inputs, check_lengths
from perdure.core.errors import DataError, LabelError, LengthError, ShapeError
from perdure.core.printable import printable
from perdure.data._parts import part, quote_names
from perdure.data._read.stored_arrays import list_arrays, read_array
from perdure.data._splits import Splits
from perdure.ops.sequence import length_mask, site_mask

__all__ = ["Arrays"]

NEEDED = ("inputs", "label")
OPTIONAL = ("lengths", "truth", "classes", "features", "split")

Archive = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Arrays:
    """Series of your own, as written by `numpy.savez`.

    The archive holds these arrays, the first two always:

    - `inputs`: floats, (samples, time, feature); read as float32.
    - `label`: (samples,), whole numbers or text. Without `classes` the values that occur, in order, are the
      classes; with it a label is a position in it or one of its names.
    - `lengths`: (samples,), valid steps of each sample; later steps may hold anything and become zero.
    - `truth`: 0 or 1, shaped like the inputs, 1 at the sites known to matter.
    - `classes`: text, the name of each class.
    - `features`: text, the name of each feature, which pages then show.
    - `split`: (samples,), "train", "validation" or "test"; without it the seed draws 60, 20 and 20 %,
      and without "validation" a fifth of the training samples is held out.

    Nothing is unpickled.

    Args:
        path: Archive.

    Reference:
        perdure
    """

    path: str

    def load(self, seed: int) -> Splits:
        """Read and check the archive.

        Args:
            seed: Seed of the split, when the archive does not hold one.

        Returns:
            The splits; a sample is named by its row.

        Raises:
            DataError: When the archive cannot be used; subclasses name the case.
        """
        result = _read(Path(self.path).expanduser())
        inputs, mask = _inputs(result)
        label, classes = _label(result, len(inputs))
        batch = Batch(inputs, label, mask, _truth(result, inputs, mask))
        splits = part(batch, classes, _marks(result, len(batch)), seed)
        return replace(splits, feature_names=_features(result, inputs.shape[2]))


def _read(path: Path) -> Archive:
    if path.is_dir():
        raise DataError(f"'{path}' is a folder", "give the path of an .npz archive, or read events with events:path=")
    stored = list_arrays(path, "write it with numpy.savez(path, inputs=..., label=...)")
    _check_keys(list(stored), path)
    return {key: read_array(stored, key) for key in stored}


def _check_keys(keys: list[str], path: Path) -> None:
    missing = [key for key in NEEDED if key not in keys]
    unknown = [key for key in keys if key not in NEEDED + OPTIONAL]
    if missing or unknown:
        wrong = "has no " + quote_names(missing) if missing else "has the unknown " + quote_names(unknown)
        raise DataError(
            f"'{path}' {wrong}; its keys are {quote_names(keys)}",
            f"name the arrays {quote_names(NEEDED)} and, where you have them, {quote_names(OPTIONAL)}; no others",
        )


def _inputs(result: Archive) -> tuple[Float[Tensor, "batch time feature"], Bool[Tensor, "batch time"] | None]:
    values, mask = result["inputs"], None
    if values.dtype.kind != "f":
        raise ShapeError(f"'inputs' has dtype {values.dtype}", "store inputs.astype('float32')")
    with np.errstate(over="ignore"):
        inputs = torch.from_numpy(values.astype(np.float32))
    if "lengths" in result and inputs.ndim == 3:
        mask = _mask(result["lengths"], inputs)
        inputs = inputs.masked_fill(~mask[..., None], 0.0)
    check_inputs(inputs, "'inputs'", rank=3)
    return inputs, mask


def _mask(lengths: np.ndarray, inputs: Tensor) -> Bool[Tensor, "batch time"]:
    if lengths.dtype.kind not in "iu":
        raise LengthError(f"'lengths' has dtype {lengths.dtype}", "store lengths.astype('int64')")
    valid = torch.from_numpy(lengths.astype(np.int64))
    check_lengths(valid, inputs)
    return length_mask(valid, inputs.shape[1])


def _label(result: Archive, samples: int) -> tuple[Tensor, tuple[str, ...]]:
    values = result["label"]
    _check_column("label", values, samples)
    if values.dtype.kind not in "biuU":
        raise LabelError(f"'label' has dtype {values.dtype}", "store whole numbers or text in 'label'")
    if values.dtype.kind == "i" and values.min() < 0:
        first = int((values < 0).argmax())
        raise LabelError(f"'label' of sample {first} is {values[first]}", "number the classes from 0, or name them")
    if "classes" in result:
        names = result["classes"]
        position = _positions(values, names)
    else:
        names, position = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise LabelError(f"every sample has the label {quote_names(names[:1])}", "give samples of two or more classes")
    return torch.from_numpy(position.astype(np.int64)), tuple(str(name) for name in names)


def _positions(values: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the class of each label, given by position or by name."""
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) != len(names):
        raise LabelError(
            f"'classes' has shape {names.shape} and dtype {names.dtype}, or a name in it occurs twice",
            "store one name for each class in 'classes', such as numpy.array(['cat', 'dog'])",
        )
    order = {name: i for i, name in enumerate(names.tolist())} if values.dtype.kind == "U" else range(len(names))
    outside = [i for i, value in enumerate(values.tolist()) if value not in order]
    if outside:
        raise LabelError(
            f"'label' of sample {outside[0]} is {printable(values[outside[0]])}, but 'classes' holds "
            f"{quote_names(names)}",
            f"give names from 'classes', or positions from 0 to {len(names) - 1}",
        )
    return np.array([order[value] for value in values.tolist()])


def _truth(result: Archive, inputs: Tensor, mask: Tensor | None) -> Bool[Tensor, "batch time feature"] | None:
    if "truth" not in result:
        return None
    values = result["truth"]
    if values.shape != inputs.shape:
        raise ShapeError(
            f"'truth' has shape {values.shape}, 'inputs' has {tuple(inputs.shape)}",
            "store one 0 or 1 for each input in 'truth'",
        )
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise DataError("'truth' holds values other than 0 and 1", "store booleans: truth > threshold")
    return torch.from_numpy(values.astype(bool)) & site_mask(mask, inputs)


def _features(result: Archive, count: int) -> tuple[str, ...]:
    names = result.get("features")
    if names is None:
        return ()
    if names.shape != (count,) or names.dtype.kind != "U":
        raise DataError(
            f"'features' has shape {names.shape} and dtype {names.dtype} for {count} features",
            "store one name for each feature in 'features', such as numpy.array(['speed', 'height'])",
        )
    return tuple(names.tolist())


def _marks(result: Archive, samples: int) -> list[str] | None:
    if "split" not in result:
        return None
    _check_column("split", result["split"], samples)
    return [str(mark) for mark in result["split"]]


def _check_column(key: str, values: np.ndarray, samples: int) -> None:
    if values.shape != (samples,):
        raise ShapeError(
            f"'{key}' has shape {values.shape} for {samples} samples", f"store one value per sample in '{key}'"
        )
