"""Texts of the hub: the parts of a dataset, whatever its files and however its labels are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from perdure.core.errors import DataError, LabelError, LengthError
from perdure.core.optional import require
from perdure.data._columns import cell, ordered
from perdure.data._parts import PARTS, hold_out, listed
from perdure.data._texts import Texts, deal, select

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["published_texts", "three_parts"]

Label = int | str | bool | None


def published_texts(folder: Path, config: str, text: str, label: str) -> tuple[dict[str, Texts], tuple[str, ...]]:
    """Read the parts of a dataset whose labels are known.

    Args:
        folder: with its files.
        config: name of the configuration; empty for the only one.
        text: column of the texts.
        label: column of the class.

    Returns:
        Texts by "train" and, where they are there, "validation" and "test"; and the names of the classes.

    Raises:
        DataError: when the files cannot be read or used; subclasses name the case.
        DependencyError: without the package datasets.
    """
    found = _read(folder, config)
    labels = {name: _column(found[name], name, label) for name in PARTS if name in found}
    labels = {name: some for name, some in labels.items() if not all(map(_hidden, some))}
    if "train" not in labels:
        raise DataError(
            f"'{folder}' has no part 'train' with labels among {listed(found)}", "give config= another configuration"
        )
    for name, some in labels.items():
        if any(map(_hidden, some)):
            row = [*map(_hidden, some)].index(True)
            raise LabelError(f"{cell(row, label)} of the {name} texts is empty", "leave texts without a label out")
    names, number = _classes(getattr(found["train"].features[label], "names", ()), labels)
    if len(names) < 2:
        raise LabelError(f"every text has '{names[0]}' in column '{label}'", "give texts of two or more classes")
    parts = {
        name: Texts(
            _written(_column(found[name], name, text), name, text),
            torch.tensor([number[one] for one in some]),
            tuple(f"{name}-{i:06d}" for i in range(len(some))),
        )
        for name, some in labels.items()
    }
    return parts, names


def three_parts(parts: Mapping[str, Texts], classes: tuple[str, ...], seed: int) -> tuple[Texts, Texts, Texts]:
    """Put together what is for training, validation and test.

    Args:
        parts: of `published_texts`.
        classes: name of each class.
        seed: of what is drawn.

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
            found: Mapping[str, Dataset] = datasets.load_dataset(str(folder), config or None)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"'{folder}' cannot be read: {error}", "give config= one of its configurations, or fetch its files again"
        ) from error
    return found


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
            f"the {name} texts have no column '{column}' among {listed(part.column_names)}",
            "name the columns with text= and label=",
        )
    return list(part[column])


def _hidden(label: Label) -> bool:
    """Tell whether a label is missing, or -1 as where a contest hides it."""
    return label is None or label == -1


def _classes(named: Sequence[str], labels: Mapping[str, list[Label]]) -> tuple[tuple[str, ...], dict[Label, int]]:
    """Give the names of the classes and the position of each label, which is one already where labels have names."""
    if named:
        return tuple(named), {i: i for i in range(len(named))}
    found = {one for some in labels.values() for one in some}
    names = ordered({str(one) for one in found})
    return tuple(names), {one: names.index(str(one)) for one in found}


def _written(texts: list[Label], name: str, column: str) -> tuple[str, ...]:
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise LengthError(
                f"{cell(row, column)} of the {name} texts holds {text!r}, which is no text",
                "leave such rows out, or name the column of texts with text=",
            )
    return tuple(str(text) for text in texts)
