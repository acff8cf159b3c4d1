"""Texts of a hub dataset: its parts, for any format of files and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from perdure.core.errors import DataError, LabelError, LengthError
from perdure.core.optional import require
from perdure.data._parts import PARTS, hold_out, quote_names
from perdure.data._read.columns import name_cell, sort_classes
from perdure.data._read.texts import Texts, deal, select

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["assemble_parts", "read_published_texts"]

Label = int | str | bool | None


def read_published_texts(folder: Path, config: str, text: str, label: str) -> tuple[dict[str, Texts], tuple[str, ...]]:
    """Read the parts of a dataset whose labels are known.

    Args:
        folder: Folder with its files.
        config: Name of the configuration; empty for the only one.
        text: Column of the texts.
        label: Column of the class.

    Returns:
        Texts by "train" and, where they are there, "validation" and "test"; and the names of the classes.

    Raises:
        DataError: When the files cannot be read or used; subclasses name the case.
        DependencyError: Without the package datasets.
    """
    result = _read(folder, config)
    labels = {name: _column(result[name], name, label) for name in PARTS if name in result}
    labels = {name: group for name, group in labels.items() if not all(map(_hidden, group))}
    if "train" not in labels:
        raise DataError(
            f"'{folder}' has no part 'train' with labels among {quote_names(result)}",
            "give config= another configuration",
        )
    for name, group in labels.items():
        if any(map(_hidden, group)):
            row = [*map(_hidden, group)].index(True)
            raise LabelError(f"{name_cell(row, label)} of the {name} texts is empty", "leave texts without a label out")
    names, number = _classes(getattr(result["train"].features[label], "names", ()), labels)
    if len(names) < 2:
        raise LabelError(f"every text has '{names[0]}' in column '{label}'", "give texts of two or more classes")
    parts = {
        name: Texts(
            _check_texts(_column(result[name], name, text), name, text),
            torch.tensor([number[item] for item in group]),
            tuple(f"{name}-{i:06d}" for i in range(len(group))),
        )
        for name, group in labels.items()
    }
    return parts, names


def assemble_parts(parts: Mapping[str, Texts], classes: tuple[str, ...], seed: int) -> tuple[Texts, Texts, Texts]:
    """Assemble the texts for training, validation and test.

    Args:
        parts: Parts of `read_published_texts`.
        classes: Name of each class.
        seed: Seed for all random draws.

    Returns:
        The texts for each; without a test part that of validation, without validation a fifth of training, and with
        neither 60, 20 and 20 % of training.
    """
    train = parts["train"]
    if len(parts) == 1:
        return deal(train, classes, None, seed)
    if len(parts) == len(PARTS):
        return train, parts["validation"], parts["test"]
    stays, held = hold_out(train.label, seed)
    return select(train, stays), select(train, held), parts["test" if "test" in parts else "validation"]


def _read(folder: Path, config: str) -> Mapping[str, Dataset]:
    if not folder.is_dir():
        raise DataError(f"there is no folder '{folder}'", "give path= a folder with the files of a dataset")
    datasets = require("datasets", extra="text", purpose=f"'{folder}'")
    try:
        with _silent():
            result: Mapping[str, Dataset] = datasets.load_dataset(str(folder), config or None)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"'{folder}' cannot be read: {error}", "give config= one of its configurations, or fetch its files again"
        ) from error
    return result


@contextmanager
def _silent() -> Iterator[None]:
    """Show no bars of progress."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _column(part: Dataset, name: str, column: str) -> list[Label]:
    if column not in part.column_names:
        raise DataError(
            f"the {name} texts have no column '{column}' among {quote_names(part.column_names)}",
            "name the columns with text= and label=",
        )
    return list(part[column])


def _hidden(label: Label) -> bool:
    """Return whether a label is missing, or -1 as where a contest hides it."""
    return label is None or label == -1


def _classes(named: Sequence[str], labels: Mapping[str, list[Label]]) -> tuple[tuple[str, ...], dict[Label, int]]:
    """Return the names of the classes and the position of each label, which is one already where labels have names."""
    if named:
        return tuple(named), {i: i for i in range(len(named))}
    result = {item for group in labels.values() for item in group}
    names = sort_classes({str(item) for item in result})
    return tuple(names), {item: names.index(str(item)) for item in result}


def _check_texts(texts: list[Label], name: str, column: str) -> tuple[str, ...]:
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise LengthError(
                f"{name_cell(row, column)} of the {name} texts holds {text!r}, which is no text",
                "leave such rows out, or name the column of texts with text=",
            )
    return tuple(str(text) for text in texts)
