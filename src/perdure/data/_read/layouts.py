"""Layouts of tables: gather series from rows and columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from perdure.core.errors import DataError, LengthError, NonFiniteError
from perdure.data._parts import quote_names
from perdure.data._read.columns import format_value, name_cell, read_numbers, read_words

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Order", "Series", "long_series", "wide_series"]

NUMBERED = re.compile(r"(.*?)[_.-]?(\d+)")
"""The name of a feature and the number of a step."""

LARGEST_GAP = 1.5
"""Steps are unevenly spaced from this many times the smallest distance between two of them."""

LONG_SHARE = 0.5
"""Minimum fraction of rows with the sample of the row before in a long table."""


@dataclass(frozen=True, eq=False)
class Series:
    """Samples of unequal length.

    Args:
        values: Values, zero after the end of a series.
        lengths: Valid steps of each.
        id: Unique name of each.
        sample: Position of the sample to which each row of the table belongs.
        features: Name of each; empty where the columns are named by step alone.
    """

    values: Float[np.ndarray, "sample time feature"]
    lengths: Int[np.ndarray, " sample"]
    id: tuple[str, ...]
    sample: Int[np.ndarray, " row"]
    features: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """Requirements on the steps of a series.

    Args:
        sort: Whether rows are sorted by step; else rows that are not are an error.
        uneven: Whether steps may be unevenly spaced; else a missing step is an error.
    """

    sort: bool
    uneven: bool


def long_series(table: pa.Table, names: tuple[str, str], features: Sequence[str], order: Order) -> Series:
    """Gather series from rows of one step each.

    Args:
        table: Table of `read_table`.
        names: Name of the columns with the sample and with the step, which holds numbers or dates.
        features: Columns of the features.
        order: Requirements on the steps.

    Returns:
        The samples in the order in which they first occur.

    Raises:
        DataError: For a step that occurs twice, is missing or precedes an earlier one; subclasses name the case.
    """
    ids = read_words(table, names[0])
    place = {name: i for i, name in enumerate(dict.fromkeys(ids))}
    sample = np.array([place[name] for name in ids])
    time = _times(table, names[1])
    rows = np.lexsort((time, sample))
    _check_steps(table, names, rows, sample, time, order)
    lengths = np.bincount(sample)
    step = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    values = np.zeros((len(place), lengths.max(), len(features)), np.float32)
    for i, name in enumerate(features):
        values[sample[rows], step, i] = _finite(read_numbers(table, name), name)[rows]
    return Series(values, lengths, tuple(place), sample, tuple(features))


def wide_series(table: pa.Table, id_column: str | None, features: Sequence[str], order: Order) -> Series:
    """Gather series from rows of one sample each.

    Args:
        table: Table of `read_table`.
        id_column: Id column with the name of each sample; None to name it by its row.
        features: Columns named by a feature and a step, as "heart_0", "heart_1"; or none of them by a number, for one
            feature whose steps they are in their order.
        order: Requirements on the steps.

    Returns:
        The samples in the order of rows.

    Raises:
        DataError: For columns that do not make a grid, empty cells before the end of a series, and two samples of
            one name; subclasses name the case.
    """
    ids = [f"row-{i + 1:06d}" for i in range(len(table))] if id_column is None else read_words(table, id_column)
    seen: dict[str, int] = {}
    for row, item in enumerate(ids):
        if seen.setdefault(item, row) != row:
            raise DataError(
                f"rows {seen[item] + 1} and {row + 1} both have '{item}' in column '{id_column}'",
                "give each sample one row and a unique name, or name the column of steps with time=",
            )
    grid = _grid(features, order)
    values = np.stack([np.stack([read_numbers(table, name) for name in step], 1) for step in grid], 1)
    if NUMBERED.fullmatch(features[0]) is None:
        _check_wide(values[..., 0], features)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    lengths = _lengths(values, grid)
    valid = np.arange(len(grid)) < lengths[:, None]
    return Series(np.where(valid[..., None], values, 0.0), lengths, tuple(ids), np.arange(len(table)), _features(grid))


def _times(table: pa.Table, name: str) -> Float[np.ndarray, " row"]:
    """Read steps; dates and times as their distance from the first of them."""
    import pyarrow as pa

    column = table[name]
    if pa.types.is_string(column.type):
        column = _dates(column)
    if pa.types.is_temporal(column.type):
        try:
            since = _ticks(column)
            column = pa.compute.subtract(since, pa.compute.min(since))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                f"column {quote_names([name])} cannot be read as times: {error}", "store numbers"
            ) from error
        table = table.set_column(table.column_names.index(name), name, column)
    return _finite(read_numbers(table, name), name)


def _dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read ISO dates, all with a time zone or all without; leave other text as it is."""
    import pyarrow as pa

    for zone in (None, "UTC"):
        try:
            return column.cast(pa.timestamp("ns", zone))
        except pa.ArrowInvalid:
            pass
    return column


def _ticks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Count dates, times of day and durations in whole numbers of one unit."""
    import pyarrow as pa

    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    elif pa.types.is_time32(column.type):
        return column.cast(pa.int32()).cast(pa.int64())
    return column.cast(pa.int64())


def _finite(values: Float[np.ndarray, " row"], name: str) -> Float[np.ndarray, " row"]:
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(values.astype(np.float32))
    if bad.any():
        row = int(bad.argmax())
        raise NonFiniteError(
            f"{name_cell(row, name)} is {_format_number(values[row])}",
            "fill it in, or leave out the sample or the column",
        )
    return values


def _format_number(value: float) -> str:
    return "empty or NaN" if np.isnan(value) else f"{value}, beyond what float32 holds"


def _check_steps(
    table: pa.Table, names: tuple[str, str], rows: np.ndarray, sample: np.ndarray, time: np.ndarray, order: Order
) -> None:
    """Check the steps of each sample, given its rows in the order of steps."""
    same = np.diff(sample[rows]) == 0
    gap = np.diff(time[rows])

    def describe(place: int) -> str:
        item, other = sorted((int(rows[place]), int(rows[place + 1])))
        first, second = (f"step {format_value(table, names[1], row)} in row {row + 1}" for row in (item, other))
        return f"'{format_value(table, names[0], item)}' has {first} and {second} of column {quote_names(names[1:])}"

    twice = same & (gap == 0)
    if twice.any():
        raise DataError(f"{describe(int(twice.argmax()))}: the same", "give each step of a sample one row")
    back = same & (np.diff(rows) < 0)
    if back.any() and not order.sort:
        raise DataError(
            f"{describe(int(back.argmax()))}: not in order", "sort the rows by step, or let sort=true do so"
        )
    missing = same & (gap >= LARGEST_GAP * gap[same].min(initial=np.inf))
    if missing.any() and not order.uneven:
        raise DataError(
            f"{describe(int(missing.argmax()))}: between them at least one is missing",
            "fill in the missing step, or take steps as they come with uneven=true",
        )


def _grid(columns: Sequence[str], order: Order) -> list[list[str]]:
    """Arrange columns by step and feature."""
    result = {name: NUMBERED.fullmatch(name) for name in columns}
    plain = [name for name, match in result.items() if match is None]
    if len(plain) == len(columns):
        return [[name] for name in columns]
    if plain:
        raise DataError(
            f"columns {quote_names(plain[:5])} have no number of a step at their end, others have",
            "name all as in heart_0, heart_1, or none, and leave out columns that are no features with ignore=",
        )
    place = {(match[1], int(match[2])): name for name, match in result.items() if match}
    names = list(dict.fromkeys(feature for feature, _ in place))
    steps = sorted({step for _, step in place})
    for missing in ((name, step) for name in names for step in steps if (name, step) not in place):
        raise DataError(
            f"feature '{missing[0]}' has no column for step {missing[1]}, others have", "give all features equal steps"
        )
    gaps = np.diff(steps)
    if len(gaps) and gaps.max() > gaps.min() and not order.uneven:
        first = steps[int((gaps > gaps.min()).argmax())]
        raise DataError(
            f"after the columns of step {first} comes no step {first + gaps.min()}",
            "add the missing columns, or take steps as they come with uneven=true",
        )
    return [[place[name, step] for name in names] for step in steps]


def _check_wide(values: Float[np.ndarray, "row column"], names: Sequence[str]) -> None:
    """Reject a long table whose columns of samples and steps have unexpected names.

    Such a pair is easy to recognise: the step rises from row to row exactly as long as the sample stays the same.
    """
    same, rises = (np.diff(values, axis=0) == 0).T, (np.diff(values, axis=0) > 0).T
    for i, stays in enumerate(same):
        if stays.all() or stays.mean() < LONG_SHARE:
            continue
        for j, up in enumerate(rises):
            if i != j and (up == stays).all():
                raise DataError(
                    f"columns '{names[i]}' and '{names[j]}' are the sample and the step of a long table: "
                    f"'{names[j]}' rises exactly as long as '{names[i]}' stays the same",
                    f"name them, id={names[i]},time={names[j]}, or leave them out, ignore=[{names[i]}, {names[j]}]",
                )


def _features(grid: list[list[str]]) -> tuple[str, ...]:
    """Take the number of the step off the names of its columns; that of a single feature may be no more than "t"."""
    result = (NUMBERED.fullmatch(name) for name in grid[0])
    return tuple(match[1] for match in result if match) if len(grid[0]) > 1 else ()


def _lengths(values: Float[np.ndarray, "sample time feature"], grid: list[list[str]]) -> Int[np.ndarray, " sample"]:
    """Count the steps up to the last that holds anything; all before must be whole."""
    present = ~np.isnan(values)
    group = np.asarray(present.any(2))
    lengths = np.where(group.any(1), len(grid) - group[:, ::-1].argmax(1), 0)
    if not lengths.all():
        raise LengthError(f"row {int(lengths.argmin()) + 1} has no step", "leave empty samples out")
    valid = np.arange(len(grid)) < lengths[:, None]
    bad = valid[..., None] & ~np.isfinite(values)
    if bad.any():
        row, step, feature = (int(i) for i in np.argwhere(bad)[0])
        raise NonFiniteError(
            f"{name_cell(row, grid[step][feature])} is {_format_number(values[row, step, feature])}",
            "fill it in; only the last steps of a series may be empty, in all of its features",
        )
    return lengths
