"""Series of the user, from a table in CSV, Parquet or JSON lines."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int

from perdure.core.batch import Batch
from perdure.core.errors import DataError, LabelError, LeftOutWarning
from perdure.data._parts import part, quote_names
from perdure.data._read.columns import check_column, find_row_numbers, format_value, name_cell, read_classes, read_words
from perdure.data._read.layouts import Order, Series, long_series, wide_series
from perdure.data._read.table_file import read_table
from perdure.data._splits import Splits, standardise
from perdure.ops.sequence import mask_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Table"]

TIME, SPLIT = "time", "split"
"""Columns that have a meaning where they occur."""


@dataclass(frozen=True)
class Table:
    """Series of your own, from a CSV, Parquet or JSON lines file; text may be compressed, as in .csv.gz.

    Cells of CSV are separated by commas, semicolons or tabs, and with semicolons numbers may have a decimal comma. Text
    is in UTF-8, or in UTF-16 or UTF-32. A column without a name, "Unnamed: 0", an index that pandas wrote, and a first
    column "index" or the like that counts the rows are no features: they are left out, with a warning.

    A *long* table has a column of steps and holds one step of one sample in each row: columns id, time, label and the
    features. A *wide* one has none and holds one sample in each row: a column called `heart_3` is feature `heart` at
    step 3; where no column ends in a number, they are the steps of a single feature in their order. Series may be of
    unequal length, which a wide table shows by empty cells at the end of a row.

    Class names are the values of the label. A column `split` marks each sample as "train", "validation" or "test";
    without it the seed draws 60, 20 and 20 %, and without "validation" a fifth of the training samples is held out.

    Args:
        path: File.
        label: Column of the class.
        id: Column with the name of the sample; in a wide table it may be missing.
        time: Column of the steps, numbers or dates with or without a time zone; where there is none, the table is wide.
        split: Column of the marks.
        ignore: Columns to leave out.
        sort: Whether the rows of a sample are sorted by step; else rows that are not are an error.
        uneven: Whether steps may be unevenly spaced; else a missing step is an error.
        standardise: Whether features are shifted and scaled by mean and standard deviation of the training samples.

    Reference:
        perdure
    """

    path: str
    label: str = "label"
    id: str = "id"
    time: str = TIME
    split: str = SPLIT
    ignore: tuple[str, ...] = ()
    sort: bool = False
    uneven: bool = False
    standardise: bool = False

    def load(self, seed: int) -> Splits:
        """Read and check the table.

        Args:
            seed: Seed of the split, when the table does not hold one.

        Returns:
            The splits; a sample is named by its id, or by its row in a wide table without ids.

        Raises:
            DataError: When the table cannot be used, with row and column; subclasses name the case.
        """
        table = read_table(Path(self.path).expanduser())
        self._check_columns(table)
        series = self._series(table, self._features(table))
        rows, classes = read_classes(table, self.label)
        label = self._constant(table, self.label, series, rows)
        if len(classes) == len(label) > 2:
            raise LabelError(f"column '{self.label}' has another class for each sample", "name a column of classes")
        marks = self._marks(table, series)
        splits = replace(part(_batch(series, label), classes, marks, seed), feature_names=series.features)
        return standardise(splits, per_step=False) if self.standardise else splits

    def _check_columns(self, table: pa.Table) -> None:
        check_column(table, self.label, "label")
        for name in self.ignore:
            check_column(table, name, "ignore")
        for name, usual, setting in ((self.time, TIME, "time"), (self.split, SPLIT, "split")):
            if name != usual:
                check_column(table, name, setting)
        if self.time in table.column_names:
            check_column(table, self.id, "id")

    def _features(self, table: pa.Table) -> list[str]:
        """List the columns that hold features; those that number the rows are left out."""
        rest = {self.label, self.id, self.time, self.split, *self.ignore}
        index = [name for name in find_row_numbers(table) if name not in rest]
        reported = [name for name in index if not name.startswith("__index_level_")]  # which can only be an index
        if reported:
            warnings.warn(
                f"{quote_names(reported)} of '{self.path}' is left out, as it numbers or names the rows; write the "
                "table without it, to_csv(path, index=False) in pandas and row.names=FALSE in R, or name what it holds "
                "with id= or time=",
                LeftOutWarning,
                stacklevel=3,
            )
        features = [name for name in table.column_names if name not in rest and name not in index]
        if not features:
            raise DataError(
                f"'{self.path}' has no features among {quote_names(table.column_names)}",
                "add a column for each feature",
            )
        return features

    def _series(self, table: pa.Table, features: list[str]) -> Series:
        order = Order(self.sort, self.uneven)
        if self.time in table.column_names:
            return long_series(table, (self.id, self.time), features, order)
        return wide_series(table, self.id if self.id in table.column_names else None, features, order)

    def _marks(self, table: pa.Table, series: Series) -> list[str] | None:
        if self.split not in table.column_names:
            return None
        marks = read_words(table, self.split)
        names, rows = np.unique(marks, return_inverse=True)
        return [str(names[item]) for item in self._constant(table, self.split, series, rows)]

    def _constant(
        self, table: pa.Table, name: str, series: Series, rows: Int[np.ndarray, " row"]
    ) -> Int[np.ndarray, " sample"]:
        """Return the value of each sample, which all of its rows must have."""
        _, first = np.unique(series.sample, return_index=True)
        changed = rows != rows[first][series.sample]
        if changed.any():
            row = int(changed.argmax())
            start = int(first[series.sample[row]])
            raise LabelError(
                f"{name_cell(row, name)} is '{format_value(table, name, row)}', but "
                f"{quote_names([series.id[series.sample[row]]])} has "
                f"'{format_value(table, name, start)}' in row {start + 1}",
                "give all rows of a sample the same, or name another column of samples with id=",
            )
        return rows[first]


def _batch(series: Series, label: Int[np.ndarray, " sample"]) -> Batch:
    inputs, lengths = torch.from_numpy(series.values), torch.from_numpy(series.lengths)
    return Batch(inputs, torch.from_numpy(label), mask_of(lengths, inputs.shape[1]), id=series.id)
