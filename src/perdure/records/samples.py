"""Explained samples as tables, so that a run folder can be viewed without its data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from perdure.core.batch import Batch, Text, slice_batch
from perdure.core.errors import PartError, user_code_errors
from perdure.core.plain_json import load_json
from perdure.ops.sequence import lengths_of
from perdure.records.parts import finished_parts, open_part, part_path, write_part

__all__ = ["LARGEST", "StoredSample", "find_stored", "read_sample", "sample_table", "write_samples"]

LARGEST = 2**28
"""Maximum number of input elements that a run folder keeps (one gigabyte); of more, only texts and names are kept."""

_KEY = b"perdure"


@dataclass(frozen=True, eq=False)
class StoredSample:
    """A sample of a run folder.

    Args:
        input: Valid steps of a series, pixels of an image (channel, row, column), or token ids; None where the inputs
            were too large to be kept.
        text: Text of the token ids; None for other data.
        classes: Names of the classes.
        features: Names of the features of series; empty for none.
    """

    input: Float[np.ndarray, "*site"] | None
    text: Text | None
    classes: tuple[str, ...]
    features: tuple[str, ...]


def write_samples(
    folder: Path, batch: Batch, classes: tuple[str, ...], features: tuple[str, ...] = (), shard: int = 128
) -> None:
    """Store the explained samples of a run, as far as they are not stored.

    Args:
        folder: Folder of the run; the parts are in `samples` in it.
        batch: Explained samples.
        classes: Names of the classes.
        features: Names of the features of series.
        shard: Samples in a part, as in the parts of the maps.

    Raises:
        RunFolderError: When the system cannot write.
    """
    place = folder / "samples"
    done, keep = finished_parts(place), batch.inputs.numel() <= LARGEST
    for index in range(-(-len(batch) // shard)):
        if index not in done:
            part = slice_batch(batch, slice(index * shard, (index + 1) * shard))
            write_part(place, index, sample_table(part, classes, features, keep))


def sample_table(
    batch: Batch, classes: tuple[str, ...], features: tuple[str, ...] = (), keep_inputs: bool = True
) -> pa.Table:
    """Write samples as rows of a table; inputs are flat, without padded steps, in 32 bits.

    Args:
        batch: Samples.
        classes: Names of the classes.
        features: Names of the features of series.
        keep_inputs: Whether to write the inputs, or only names and texts.

    Returns:
        Columns sample_id, label, shape, input, text, spans and pieces; null where there is none.

    Example:
        >>> import torch
        >>> table = sample_table(Batch(torch.ones(1, 2, 2), torch.tensor([1]), id=("a",)), ("no", "yes"))
        >>> table.select(["sample_id", "shape", "input"]).to_pylist()
        [{'sample_id': 'a', 'shape': [2, 2], 'input': [1.0, 1.0, 1.0, 1.0]}]
    """
    rows, values = len(batch), batch.inputs.detach().cpu().float().numpy()
    lengths = lengths_of(batch.mask)
    valid = [len(item) for item in values] if lengths is None else lengths.tolist()
    mask = None if batch.mask is None else batch.mask.cpu().numpy()
    kept = [item if mask is None else item[mask[i]] for i, item in enumerate(values)] if keep_inputs else [None] * rows
    texts = batch.text or (None,) * rows
    columns = {
        "sample_id": pa.array(batch.id),
        "label": pa.array(batch.label.cpu().numpy()),
        "shape": pa.array([[steps, *values.shape[2:]] for steps in valid], pa.list_(pa.int32())),
        "input": pa.array([None if item is None else item.ravel() for item in kept], pa.list_(pa.float32())),
        "text": pa.array([None if text is None else text.text for text in texts], pa.string()),
        "spans": pa.array(
            [None if text is None else [end for span in text.spans for end in span] for text in texts],
            pa.list_(pa.int32()),
        ),
        "pieces": pa.array([None if text is None else text.pieces for text in texts], pa.bool_()),
    }
    about = {"classes": classes, "features": features}
    return pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about)})


def read_sample(path: Path, row: int) -> StoredSample:
    """Read one sample of a part.

    Args:
        path: File of the part.
        row: Row in the part.

    Returns:
        The sample.

    Raises:
        PartError: When the part is damaged.
    """
    remedy = "delete this file and run the same command again"
    with user_code_errors(PartError, f"{path} is damaged: its reader", remedy):
        return _read_sample(path, row)


def find_stored(folder: Path, number: int, name: str) -> StoredSample | None:
    """Find a sample by its name in the part of a number.

    Args:
        folder: Folder of the parts.
        number: Number of the part, as that of the maps.
        name: Name of the sample.

    Returns:
        The sample; None where the part does not hold it, or cannot be read.
    """
    path = part_path(folder, number)
    if not path.exists():
        return None
    try:
        with user_code_errors(PartError, f"{path} is damaged: its reader", "run the same command again"):
            with open_part(path) as file:
                place = pc.index(file.read(columns=["sample_id"])["sample_id"], pa.scalar(name)).as_py()
            return None if place < 0 else _read_sample(path, place)
    except PartError:
        return None


def _read_sample(path: Path, row: int) -> StoredSample:
    with open_part(path) as file:
        about: dict[str, Any] = load_json(file.schema_arrow.metadata[_KEY])
        group = 0
        while row >= file.metadata.row_group(group).num_rows:
            row -= file.metadata.row_group(group).num_rows
            group += 1
        item = file.read_row_group(group).slice(row, 1).to_pylist()[0]
    values = item["input"]
    text = None
    if item["text"] is not None:
        spans = tuple(pairwise(item["spans"]))[::2]
        text = Text(item["text"], spans, bool(item["pieces"]))
    return StoredSample(
        None if values is None else np.array(values, np.float32).reshape(item["shape"]),
        text,
        tuple(map(str, about["classes"])),
        tuple(map(str, about["features"])),
    )
