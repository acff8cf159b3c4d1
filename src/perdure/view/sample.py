"""One sample with all its maps, scores and curves, as pieces of a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from perdure.core.errors import PartError, PerdureError, user_code_errors
from perdure.core.estimate import Estimate
from perdure.core.registry import METRICS
from perdure.core.spec import strip_settings
from perdure.records.attributions import StoredMap, read_map
from perdure.records.parts import open_part
from perdure.records.samples import StoredSample, find_stored
from perdure.report.charts.path_curves import Chart, Curve, draw_small_charts
from perdure.report.pages.page import Section
from perdure.report.pages.samples import build_samples
from perdure.report.pieces import NumberGroup, Numbers, Piece, Prose
from perdure.view.parts import Unit
from perdure.view.rows import name_method

__all__ = ["ShownSample", "build_sections", "find_sample"]

CURVES = 12
"""Maximum number of curves of a chart; the colours of more cannot be distinguished."""


@dataclass(frozen=True)
class ShownSample:
    """What a folder holds about a sample.

    Args:
        maps: Maps by the name of model and method.
        scores: Rows of score tables: owner, metric, value, null, ceiling and curve.
        stored: Inputs and names; None where the folder holds none.
        damage: What could not be read.
    """

    maps: Mapping[str, StoredMap]
    scores: Sequence[Mapping[str, Any]]
    stored: StoredSample | None
    damage: tuple[str, ...]


def find_sample(units: Iterable[Unit], name: str) -> ShownSample:
    """Read a sample from the parts that hold it.

    Args:
        units: Parts with rows of the sample.
        name: Name of the sample.

    Returns:
        What is known; a file that cannot be read is left out and named.
    """
    maps: list[tuple[str, str, StoredMap]] = []
    scores: list[dict[str, Any]] = []
    damage: list[str] = []
    stored = None
    for unit in units:
        for path in unit.maps:
            try:
                item = read_map(path, name)
                if item is not None:
                    maps.append((item.model, name_method(path), item))
            except PartError as error:
                damage.append(str(error))
        for path in unit.scores:
            try:
                scores += _read_scores(path, name)
            except PartError as error:
                damage.append(str(error))
        if stored is None and unit.samples is not None:
            stored = find_stored(unit.samples.parent, unit.number, name)
    maps.sort(key=lambda entry: entry[:2])
    models = {model for model, _, _ in maps}
    named = {f"{model} · {method}" if len(models) > 1 else method: item for model, method, item in maps}
    for row in scores:
        row["owner"] = f"{row['model']} · {row['method']}" if len(models) > 1 else row["method"]
    return ShownSample(named, scores, stored, tuple(damage))


def build_sections(shown: ShownSample) -> tuple[Section, ...]:
    """Build the parts of the page of a sample: maps, scores and curves.

    Args:
        shown: What the folder holds about it.

    Returns:
        Sections without those that would be empty.
    """
    sections = (
        Section("Maps", _maps(shown)),
        Section("Scores", _numbers(shown.scores)),
        Section("Curves", _curves(shown.scores)),
    )
    return tuple(section for section in sections if section.pieces)


def _read_scores(path: Path, name: str) -> list[dict[str, Any]]:
    columns = ["sample_id", "model", "method", "metric", "value", "null", "ceiling", "curve"]
    with user_code_errors(PartError, f"{path.name} is damaged: its reader", "run the command again that wrote it"):
        with open_part(path) as file:
            if not set(columns) <= set(file.schema_arrow.names):
                return []
            table = file.read(columns=columns)
        rows: list[dict[str, Any]] = table.filter(pc.equal(table["sample_id"], name)).to_pylist()
        return rows


def _maps(shown: ShownSample) -> tuple[Piece, ...]:
    if not shown.maps:
        return ()
    stored = shown.stored
    values = {name: _to_positions(item, stored) for name, item in shown.maps.items()}
    first = next(iter(values.values()))
    maps = {name: item[None] for name, item in values.items() if item.shape == first.shape}
    truths = [_to_truth(item, first.shape) for item in shown.maps.values()]
    truth = next((item for item in truths if item is not None), None)
    text = None if stored is None else stored.text
    inputs = None if stored is None or stored.input is None else _shape_input(stored.input)
    drawn = build_samples(
        None if inputs is None else inputs[None],
        maps,
        None if truth is None else truth[None],
        ("",),
        () if text is None else (text,),
        () if stored is None else stored.features,
        next(iter(shown.maps.values())).values.ndim == 3,
    )
    missing = len(values) - len(maps)
    note = (Prose((f"{missing} maps of another shape are not drawn.",)),) if missing else ()
    unknown = (Prose(("The folder does not hold the input of this sample.",)),) if inputs is None and not text else ()
    return (*unknown, drawn, *note)


def _shape_input(values: np.ndarray) -> np.ndarray:
    return values if values.ndim != 1 else values[:, None]


def _to_positions(item: StoredMap, stored: StoredSample | None) -> np.ndarray:
    """Sum a map over the channels of an image or the embedding of a word; give a table one feature."""
    if item.values.ndim == 3:
        return np.asarray(item.values.sum(0))
    if stored is not None and stored.text is not None:
        return np.asarray(item.values.reshape(len(item.values), -1).sum(1))
    return item.values if item.values.ndim == 2 else item.values[:, None]


def _to_truth(item: StoredMap, shape: tuple[int, ...]) -> np.ndarray | None:
    truth = item.truth
    if truth is None:
        return None
    if item.values.ndim == 3:
        return np.asarray(truth.any(0)) if truth.ndim == 3 else None
    if len(shape) == 1:
        return np.asarray(truth.reshape(len(truth), -1).any(1))
    return np.broadcast_to(truth if truth.ndim == 2 else truth[:, None], shape)


def _numbers(scores: Sequence[Mapping[str, Any]]) -> tuple[Piece, ...]:
    groups: dict[str, list[tuple[str, Estimate]]] = {}
    for row in scores:
        if all(row[name] is not None and math.isfinite(row[name]) for name in ("value", "null", "ceiling")):
            number = Estimate(
                row["value"],
                row["null"],
                row["ceiling"],
                name=str(row["metric"]),
                higher_is_better=_is_better_high(str(row["metric"])),
            )
            groups.setdefault(number.name, []).append((str(row["owner"]), number))
    made = tuple(NumberGroup(name, tuple(rows)) for name, rows in groups.items())
    return (Numbers(made, "method"),) if made else ()


def _is_better_high(metric: str) -> bool | None:
    try:
        better: bool = METRICS.load(strip_settings(metric)).higher_is_better
    except PerdureError:
        return None
    return better


def _curves(scores: Sequence[Mapping[str, Any]]) -> tuple[Piece, ...]:
    curves: dict[str, dict[str, Curve]] = {}
    for row in scores:
        values = np.array(row["curve"] or (), dtype=float)
        if len(values) > 1:
            curves.setdefault(str(row["metric"]), {})[str(row["owner"])] = Curve(np.linspace(0, 1, len(values)), values)
    return tuple(
        draw_small_charts([Chart(metric, dict(list(lines.items())[:CURVES]))], 2, ("first point", "last point"))
        for metric, lines in curves.items()
    )
