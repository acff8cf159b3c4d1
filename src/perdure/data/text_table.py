"""Texts of the user, from a table in CSV, Parquet or JSON lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from perdure.core.check import check_counts
from perdure.core.errors import DataError, LengthError
from perdure.core.random import stream
from perdure.data._read.columns import check_column, name_cell, read_classes, read_words
from perdure.data._read.table_file import read_table
from perdure.data._read.texts import Reading, Texts, deal, draw, encode_texts
from perdure.data._splits import Splits

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TextTable"]

SPLIT = "split"


@dataclass(frozen=True)
class TextTable:
    """Texts of your own with a label each, from a CSV, Parquet or JSON lines file.

    Class names are the values of the label. A column `split` marks each text as "train", "validation" or "test";
    without it the seed draws 60, 20 and 20 %, and without "validation" a fifth of the training texts is held out.
    The vocabulary is that of the training texts.

    Args:
        path: File, which ends in .csv, .tsv, .parquet or .jsonl; text may be compressed, as in .csv.gz.
        text: Column of the texts.
        label: Column of the class.
        split: Column of the marks; it may be missing.
        vocabulary: Maximum number of words with an id.
        max_length: Tokens of a text.
        cut: Whether to truncate longer ones; else a longer text is an error.
        texts: Maximum number of training, of validation and of test texts, drawn by the seed.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        perdure
    """

    path: str
    text: str = "text"
    label: str = "label"
    split: str = SPLIT
    vocabulary: int = 25000
    max_length: int = 400
    cut: bool = True
    texts: int = 25000

    def __post_init__(self) -> None:
        check_counts(texts=self.texts)
        self._reading()

    def load(self, seed: int) -> Splits:
        """Read and check the table, and learn the vocabulary.

        Args:
            seed: Seed of the split, when the table does not hold one and of all other draws.

        Returns:
            The splits; a text is named by its row, "row-000001".

        Raises:
            DataError: When the table cannot be used, with row and column; subclasses name the case.
            DependencyError: Without the package tokenizers.
        """
        table = read_table(Path(self.path).expanduser())
        check_column(table, self.text, "text")
        check_column(table, self.label, "label")
        if self.split != SPLIT:
            check_column(table, self.split, "split")
        label, classes = read_classes(table, self.label)
        names = tuple(f"row-{i + 1:06d}" for i in range(len(table)))
        texts = Texts(_read_texts(table, self.text), torch.from_numpy(label), names)
        marks = read_words(table, self.split) if self.split in table.column_names else None
        train, validation, test = (
            draw(group, self.texts, stream(seed, "texts")) for group in deal(texts, classes, marks, seed)
        )
        return encode_texts((train, validation, test), classes, self._reading())

    def _reading(self) -> Reading:
        return Reading(self.vocabulary, self.max_length, self.cut)


def _read_texts(table: pa.Table, name: str) -> tuple[str, ...]:
    """Read texts unchanged."""
    import pyarrow as pa

    if not (pa.types.is_string(table[name].type) or pa.types.is_large_string(table[name].type)):
        raise DataError(f"column '{name}' holds {table[name].type}", "name the column of texts with text=")
    result: list[str | None] = table[name].to_pylist()
    for row, text in enumerate(result):
        if not (text or "").strip():
            raise LengthError(f"{name_cell(row, name)} has no text", "leave rows without a text out")
    return tuple(text or "" for text in result)
