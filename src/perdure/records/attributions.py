"""Attributions as tables: one row per sample, flat values with their shape, provenance in the schema."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch
from perdure.core.errors import PartError, user_code_errors
from perdure.core.plain_json import load_json
from perdure.ops.position import to_sites
from perdure.records.folders import PART, wrong_folder_error
from perdure.records.parts import number_of, open_part, part_paths, read_part
from perdure.records.place import place, read_errors

__all__ = [
    "StoredMap",
    "StoredMaps",
    "attribution_table",
    "join_blocks",
    "limit_maps",
    "read_attributions",
    "read_map",
    "read_maps",
    "read_provenance",
    "split_blocks",
]

_KEY = b"perdure"
_OF_BLOCK = ("seed", "forward", "backward")
"""Fields of the provenance that differ between the blocks of a part."""

_WIDE = (torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class StoredMaps:
    """Maps that were computed together, equal to those that were stored.

    Args:
        attribution: Values, padded with zeros, and their provenance.
        id: Name of each sample.
        label: Class of each sample.
        prediction: Predicted class of each sample.
        explained: Class whose output each map explains.
        length: Valid steps of each sample.
        truth: Elements known to matter, false at padded steps; None when unknown.
        split: Split that the samples belong to.
        model: Name of the model.
        seed: Seed of the training run of that model.
        block: Number of the block of samples, which names the random streams of their maps.
    """

    attribution: Attribution
    id: tuple[str, ...]
    label: Int[Tensor, " batch"]
    prediction: Int[Tensor, " batch"]
    explained: Int[Tensor, " batch"]
    length: Int[Tensor, " batch"]
    truth: Bool[Tensor, "batch *site"] | None
    split: str
    model: str
    seed: int
    block: int = 0


@dataclass(frozen=True, eq=False)
class StoredMap:
    """The map of one sample, without padding.

    Args:
        values: Attributions.
        truth: Elements or steps known to matter; None when unknown.
        dims: Names of the dimensions, "batch" among them.
        model: Name of the model.
    """

    values: Float[np.ndarray, "*site"]
    truth: Bool[np.ndarray, "*position"] | None
    dims: tuple[str, ...]
    model: str


def attribution_table(
    attribution: Attribution,
    batch: Batch,
    prediction: Int[Tensor, " batch"],
    explained: Int[Tensor, " batch"],
    *,
    split: str,
    model: str,
    seed: int,
    confidence: Float[Tensor, " batch"] | None = None,
) -> pa.Table:
    """Write attributions as rows of a table.

    The values of a sample are flat, in row-major order, without padded steps; `shape` gives their shape.
    Narrower floats than 32 bits are widened, which keeps their values.

    Args:
        attribution: Maps of a batch.
        batch: Samples that they explain; its inputs are not stored. Its truth may mark the tokens of texts,
            (batch, time), where the maps have the features of their embeddings.
        prediction: Predicted class of each sample.
        explained: Class whose output each map explains.
        split: Split that the samples belong to.
        model: Name of the model.
        seed: Seed of the training run of that model.
        confidence: Probability of the predicted class of each sample; None where the model has none.

    Returns:
        Columns sample_id, split, model, seed, method, target, label, prediction, confidence, explained, length, shape,
        attribution and truth; confidence and truth are null where they are unknown.

    Example:
        >>> record = Provenance("gradient", {}, "logit", None, {}, "none", 1, 1)
        >>> maps = Attribution(torch.ones(1, 3, 2), ("batch", "time", "feature"), record)
        >>> batch = Batch(torch.zeros(1, 3, 2), torch.tensor([0]), mask=torch.tensor([[True, True, False]]))
        >>> label = torch.tensor([1])
        >>> table = attribution_table(maps, batch, label, label, split="test", model="lstm", seed=0)
        >>> table["shape"].to_pylist(), table["attribution"].to_pylist()
        ([[2, 2]], [[1.0, 1.0, 1.0, 1.0]])
    """
    values, rows = attribution.values.detach().cpu(), len(batch)
    values = values if values.dtype in _WIDE else values.float()
    length = _lengths(batch)
    shape = [[steps, *values.shape[2:]] for steps in length.tolist()]
    record = attribution.provenance
    columns = {
        "sample_id": pa.array(batch.id),
        "split": pa.array([split] * rows),
        "model": pa.array([model] * rows),
        "seed": pa.array([seed] * rows, pa.int64()),
        "method": pa.array([record.method] * rows),
        "target": pa.array([record.target] * rows),
        "label": pa.array(batch.label.cpu().numpy()),
        "prediction": pa.array(prediction.cpu().numpy()),
        "confidence": pa.nulls(rows, pa.float64())
        if confidence is None
        else pa.array(confidence.double().cpu().numpy()),
        "explained": pa.array(explained.cpu().numpy()),
        "length": pa.array(length.numpy(), pa.int32()),
        "shape": pa.array(shape, pa.list_(pa.int32())),
        "attribution": _lists(values, batch.mask),
        "truth": pa.nulls(rows, pa.list_(pa.bool_())) if batch.truth is None else _lists(batch.truth, batch.mask),
    }
    about = {"provenance": dataclasses.asdict(record), "dims": attribution.dims, "steps": values.shape[1]}
    about["truth_site"] = [] if batch.truth is None else batch.truth.shape[2:]
    return pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about, default=str)})


def join_blocks(tables: Sequence[pa.Table], first: int) -> pa.Table:
    """Join the tables of consecutive blocks of samples to that of a part.

    Args:
        tables: Tables of `attribution_table`, of one method and model.
        first: Number of the first block.

    Returns:
        All rows; the metadata lists the rows, seed and passes of each block.
    """
    about = [_read_about(table) for table in tables]
    blocks = [
        {"rows": len(table)} | {name: item["provenance"][name] for name in _OF_BLOCK}
        for table, item in zip(tables, about, strict=True)
    ]
    whole = json.dumps({**about[0], "first": first, "blocks": blocks})
    return pa.concat_tables(tables).replace_schema_metadata({_KEY: whole})


def split_blocks(table: pa.Table) -> list[pa.Table]:
    """Undo `join_blocks`.

    Args:
        table: Rows of a part.

    Returns:
        The table of each block.
    """
    about = _read_about(table)
    tables, at = [], 0
    for block in about.pop("blocks", [{"rows": len(table)}]):
        rows = block.pop("rows")
        single = {**about, "provenance": {**about["provenance"], **block}}
        tables.append(table.slice(at, rows).replace_schema_metadata({_KEY: json.dumps(single)}))
        at += rows
    return tables


def limit_maps(blocks: Sequence[StoredMaps], limit: int | None) -> list[StoredMaps]:
    """Take the first samples of a part.

    Args:
        blocks: Blocks of the part.
        limit: Maximum number of samples; None for all.

    Returns:
        The blocks with these samples.
    """
    result, left = [], limit
    for block in blocks:
        if left is None or left > 0:
            result.append(_limit_block(block, left))
        left = None if left is None else left - len(block.id)
    return result


def _limit_block(stored: StoredMaps, limit: int | None) -> StoredMaps:
    if limit is None or limit >= len(stored.id):
        return stored
    maps = stored.attribution
    aux = {name: values[:limit] for name, values in maps.aux.items()}
    return dataclasses.replace(
        stored,
        attribution=dataclasses.replace(maps, values=maps.values[:limit], aux=aux),
        id=stored.id[:limit],
        label=stored.label[:limit],
        prediction=stored.prediction[:limit],
        explained=stored.explained[:limit],
        length=stored.length[:limit],
        truth=None if stored.truth is None else stored.truth[:limit],
    )


def read_attributions(folder: Path | str) -> tuple[StoredMaps, ...]:
    """Read all maps of a folder, bit-equal to those that were stored.

    Args:
        folder: Run folder of `perdure explain`, or the folder of the parts, which is `maps` in it.

    Returns:
        One entry per block of samples that were explained together, in their order, since each has its own provenance.

    Raises:
        PartError: When a part is damaged or holds no maps, or there is none; the message names the folder that has
            some.
    """
    folder = place(folder)
    with read_errors(folder):
        paths = part_paths(folder) or part_paths(folder / "maps")
    if not paths:
        raise wrong_folder_error(PartError, folder, "holds no maps", PART)
    return tuple(maps for path in paths.values() for maps in read_maps(path))


def read_maps(path: Path) -> tuple[StoredMaps, ...]:
    """Read the maps of one part, bit-equal to those that were stored.

    Args:
        path: File of the part.

    Returns:
        One entry per block of samples, as of `read_attributions`.

    Raises:
        PartError: When the part is damaged or holds no maps.
    """
    table = read_part(path)
    if _KEY not in (table.schema.metadata or {}):
        raise PartError(f"{path} holds no attributions", "give the folder that 'perdure explain' wrote")
    remedy = "delete this file and run the same command again; only this part is computed again"
    with user_code_errors(PartError, f"{path} is damaged: its reader", remedy):
        first = _read_about(table).get("first", number_of(path))
        return tuple(_maps(block, first + place) for place, block in enumerate(split_blocks(table)))


def read_map(path: Path, sample: str) -> StoredMap | None:
    """Read the map of one sample of a part, decoding little else.

    Args:
        path: File of the part.
        sample: Name of the sample.

    Returns:
        The map; None where the part has none of this sample.

    Raises:
        PartError: When the part is damaged or holds no maps.
    """
    remedy = "delete this file and run the same command again; only this part is computed again"
    with user_code_errors(PartError, f"{path} is damaged: its reader", remedy), open_part(path) as file:
        about = load_json(file.schema_arrow.metadata[_KEY])
        for group in range(file.num_row_groups):
            names = file.read_row_group(group, columns=["sample_id"])["sample_id"].to_pylist()
            if sample in names:
                table = file.read_row_group(group).slice(names.index(sample), 1)
                return _read_row(table, about)
    return None


def _read_row(table: pa.Table, about: dict[str, Any]) -> StoredMap:
    shape, truth = table["shape"][0].as_py(), None
    values = table["attribution"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(shape)
    if table["truth"].null_count == 0:
        truth = table["truth"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        truth = truth.reshape(shape[0], *about.get("truth_site", shape[1:]))
    return StoredMap(values, truth, tuple(about["dims"]), str(table["model"][0].as_py()))


def read_provenance(path: Path) -> Provenance:
    """Read the provenance of the maps of one part, without the maps.

    Args:
        path: File of the part.

    Returns:
        The provenance.

    Raises:
        PartError: When the part is damaged or holds no maps.
    """
    with user_code_errors(PartError, f"{path} is damaged: its reader", "delete it and run the same command again"):
        with open_part(path) as file:
            about = load_json(file.schema_arrow.metadata[_KEY])
        return Provenance(**about["provenance"])


def _read_about(table: pa.Table) -> dict[str, Any]:
    about: dict[str, Any] = load_json(table.schema.metadata[_KEY])
    return about


def _maps(table: pa.Table, block: int) -> StoredMaps:
    about = _read_about(table)
    numbers = {name: torch.tensor(table[name].to_pylist()) for name in ("label", "prediction", "explained", "length")}
    layout, site = (numbers["length"], about["steps"]), table["shape"][0].as_py()[1:]
    values, record = _pad(table["attribution"], *layout, site), Provenance(**about["provenance"])
    truth = None if table["truth"].null_count else _pad(table["truth"], *layout, about.get("truth_site", site))
    return StoredMaps(
        attribution=Attribution(values, tuple(about["dims"]), record),
        id=tuple(table["sample_id"].to_pylist()),
        truth=truth if truth is None or truth.ndim == values.ndim else to_sites(truth, values),
        split=table["split"][0].as_py(),
        model=table["model"][0].as_py(),
        seed=table["seed"][0].as_py(),
        block=block,
        **numbers,
    )


def _lengths(batch: Batch) -> Tensor:
    if batch.mask is None:
        return torch.full((len(batch),), batch.inputs.shape[1])
    return batch.mask.sum(1).cpu()


def _lists(values: Tensor, mask: Tensor | None) -> pa.ListArray:
    """Make one flat list per sample of the valid steps of (batch, time, ...)."""
    values = values.cpu()
    valid = torch.ones(values.shape[:2], dtype=torch.bool) if mask is None else mask.cpu()
    sizes = valid.sum(1) * values[0, 0].numel()
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    kept = values.flatten(0, 1).index_select(0, valid.flatten().nonzero()[:, 0])
    return pa.ListArray.from_arrays(pa.array(offsets.numpy(), pa.int32()), pa.array(kept.flatten().numpy()))


def _pad(column: pa.ChunkedArray, length: Tensor, steps: int, site: list[int]) -> Tensor:
    """Undo `_lists`."""
    flat = torch.from_numpy(column.combine_chunks().flatten().to_numpy(zero_copy_only=False).copy())
    result = torch.zeros(len(length), steps, *site, dtype=flat.dtype)
    result[torch.arange(steps) < length[:, None]] = flat.reshape(-1, *site)
    return result
