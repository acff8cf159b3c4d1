"""The table of samples: one row for each sample and model, with its scores and the disagreement of its maps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from perdure.core.errors import PartError, PerdureError, user_code_errors
from perdure.core.registry import METHODS
from perdure.core.spec import format_spec
from perdure.records.attributions import read_provenance
from perdure.records.parts import open_part
from perdure.view.parts import Unit

__all__ = ["COLUMNS", "UnitRows", "make_rows", "name_method"]

COLUMNS = ("sample_id", "model", "label", "prediction", "explained", "confidence", "length")
"""Columns of a row that the maps give."""

MOST_ELEMENTS = 4096
"""Elements of a map that are compared; of larger maps, evenly spaced ones."""

Unitary = Float[np.ndarray, "sample element"]


@dataclass(frozen=True)
class UnitRows:
    """The rows of a unit.

    Args:
        table: Columns `unit`, `COLUMNS`, `correct`, `methods_differ`, `runs_differ`, and one for each score.
        scores: Metric and method of each column of scores, by its name.
        damage: What could not be read.
    """

    table: pa.Table | None
    scores: Mapping[str, tuple[str, str]]
    damage: tuple[str, ...]


@dataclass
class _Agreement:
    """Sums of centred maps of unit length, from which the mean correlation of all pairs follows."""

    total: Any = None
    count: Any = None

    def add(self, maps: Unitary) -> None:
        if self.total is None:
            self.total, self.count = np.zeros_like(maps), np.zeros(len(maps))
        if self.total.shape == maps.shape:
            self.total += maps
            self.count += np.abs(maps).any(1)

    def differ(self, rows: int) -> Float[np.ndarray, " sample"]:
        """Compute one minus the mean correlation of all pairs; NaN for fewer than two maps."""
        if self.total is None or len(self.total) != rows:
            return np.full(rows, np.nan)
        pairs = self.count * (self.count - 1)
        squares = (self.total**2).sum(1) - self.count
        differ: np.ndarray = np.divide(pairs - squares, pairs, out=np.full(rows, np.nan), where=pairs > 0).round(6)
        return differ


@dataclass
class _Collected:
    """What is collected of one model of a unit."""

    table: pa.Table
    methods: _Agreement = field(default_factory=_Agreement)
    scores: dict[str, np.ndarray] = field(default_factory=dict)


def make_rows(unit: Unit) -> UnitRows:
    """Read the parts of a unit and make its rows.

    Args:
        unit: Parts of one number.

    Returns:
        The rows; a file that cannot be read is left out and named.
    """
    models: dict[str, _Collected] = {}
    runs: dict[str, _Agreement] = {}
    named: dict[str, tuple[str, str]] = {}
    damage: list[str] = []
    for path in unit.maps:
        try:
            with _damage_errors(path):
                _add_maps(path, models, runs)
        except PartError as error:
            damage.append(str(error))
    for path in unit.scores:
        try:
            with _damage_errors(path):
                _add_scores(path, models, named)
        except PartError as error:
            damage.append(str(error))
    tables = [_finish(unit.number, collected, runs) for collected in models.values()]
    table = pa.concat_tables(tables, promote_options="default") if tables else None
    return UnitRows(table, named, tuple(damage))


def name_method(path: Path) -> str:
    """Name the method of a part with the settings that differ from its defaults.

    Args:
        path: File of maps.

    Returns:
        Registry name with settings; the bare name where it is unknown.
    """
    provenance = read_provenance(path)
    return _format_method(provenance.method, json.dumps(provenance.fields, default=str))


@lru_cache
def _format_method(name: str, fields: str) -> str:
    try:
        return format_spec(METHODS.make(name, json.loads(fields)))
    except (PerdureError, TypeError, ValueError):
        return name


def _damage_errors(path: Path) -> Any:
    return user_code_errors(PartError, f"{path.name} is damaged: its reader", "run the command again that wrote it")


def _add_maps(path: Path, models: dict[str, _Collected], runs: dict[str, _Agreement]) -> None:
    with open_part(path) as file:
        present = [name for name in COLUMNS if name in file.schema_arrow.names]
        table = file.read(columns=[*present, "attribution"])
    if len(table) == 0:
        return
    maps = _to_unit_length(table["attribution"])
    table = table.select(present)
    if "confidence" not in present:  # parts of version 0.1
        table = table.append_column("confidence", pa.nulls(len(table), pa.float64()))
    collected = models.setdefault(str(table["model"][0].as_py()), _Collected(table.select(COLUMNS)))
    order = _align(collected.table["sample_id"], table["sample_id"])
    if order is None:
        return
    method = name_method(path)
    collected.methods.add(maps[order])
    runs.setdefault(method, _Agreement()).add(maps[order])


def _align(ids: pa.ChunkedArray, given: pa.ChunkedArray) -> np.ndarray | slice | None:
    """Find the order of other rows that is that of the ids; None where they are about other samples."""
    if ids.equals(given):
        return slice(None)
    order = pc.index_in(ids, given.combine_chunks())
    return None if order.null_count else order.to_numpy()


def _to_unit_length(column: pa.ChunkedArray) -> Unitary:
    """Take the absolute values of maps, centre them and scale them to unit length; a constant map is zero."""
    lists = column.combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    lengths = np.diff(lists.offsets.to_numpy())
    widest = max(int(lengths.max()), 1)
    exists = np.arange(widest) < lengths[:, None]
    if len(flat) == len(lengths) * widest:
        dense = flat.reshape(len(lengths), widest)
    else:
        dense = np.zeros(exists.shape, flat.dtype)
        dense[exists] = flat
    step = -(-widest // MOST_ELEMENTS)
    dense, exists = np.abs(dense[:, ::step]).astype(np.float32), exists[:, ::step]
    mean = dense.sum(1, keepdims=True) / np.maximum(exists.sum(1, keepdims=True), 1)
    centred = np.where(exists, dense - mean, 0.0)
    size = np.sqrt((centred**2).sum(1, keepdims=True))
    unit: np.ndarray = np.divide(centred, size, out=np.zeros_like(centred), where=size > 1e-6 * (np.abs(mean) + 1e-30))
    return unit


def _add_scores(path: Path, models: dict[str, _Collected], named: dict[str, tuple[str, str]]) -> None:
    with open_part(path) as file:
        if not {"metric", "sample_id", "model", "method", "value", "null"} <= set(file.schema_arrow.names):
            return
        table = file.read(columns=["sample_id", "model", "method", "metric", "value", "null"])
    table = table.filter(pc.is_valid(table["null"]))  # further numbers of a metric have none
    for model, method, metric in _list_groups(table):
        collected = models.get(model)
        if collected is None:
            continue
        rows = table.filter(
            (pc.field("model") == model) & (pc.field("method") == method) & (pc.field("metric") == metric)
        )
        place = pc.index_in(rows["sample_id"], collected.table["sample_id"].combine_chunks())
        known = np.flatnonzero(pc.is_valid(place).to_numpy(zero_copy_only=False))
        name = f"{metric} · {method}"
        values = collected.scores.setdefault(name, np.full(len(collected.table), np.nan))
        values[place.take(pa.array(known)).to_numpy()] = rows["value"].to_numpy()[known]
        named[name] = (metric, method)


def _list_groups(table: pa.Table) -> Iterator[tuple[str, str, str]]:
    for row in table.group_by(["model", "method", "metric"]).aggregate([]).to_pylist():
        yield str(row["model"]), str(row["method"]), str(row["metric"])


def _finish(number: int, collected: _Collected, runs: Mapping[str, _Agreement]) -> pa.Table:
    rows = len(collected.table)
    table = collected.table
    columns: dict[str, Any] = {"unit": pa.array([number] * rows, pa.int32())}
    columns |= {
        name: table[name].cast(pa.string() if name in ("sample_id", "model") else _kind(name)) for name in COLUMNS
    }
    columns["correct"] = pc.equal(table["label"], table["prediction"])
    columns["methods_differ"] = _nullable(collected.methods.differ(rows))
    columns["runs_differ"] = _nullable(_average([agreement.differ(rows) for agreement in runs.values()], rows))
    columns |= {name: _nullable(values) for name, values in collected.scores.items()}
    return pa.table(columns)


def _kind(name: str) -> pa.DataType:
    return pa.float64() if name == "confidence" else pa.int64()


def _average(values: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """Average over methods, without those of a single run."""
    known = [item for item in values if np.isfinite(item).any()]
    return np.mean(known, axis=0) if known else np.full(rows, np.nan)


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
