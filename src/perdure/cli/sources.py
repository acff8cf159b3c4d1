"""What a user names on the command line: models and data, by name or by path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.core.errors import DataError, SettingError
from perdure.records.place import exists, place

if TYPE_CHECKING:
    from torch import nn

    from perdure.core.batch import Batch
    from perdure.data._splits import Splits
    from perdure.training.settings import Training

__all__ = [
    "DATA",
    "FACTORY",
    "JSON",
    "METHOD",
    "METRIC",
    "MODEL",
    "OUT",
    "OUTPUTS",
    "PRESET",
    "SEED",
    "TRAIN_SETTINGS",
    "WEIGHTS",
    "load_batch",
    "load_data",
    "make_training",
    "other_samples",
    "read_as",
]

MODEL = Annotated[
    str,
    typer.Argument(
        help="A name from 'perdure list models', with settings: lstm:hidden_size=16; a trained folder; a function of "
        "yours that makes the model: file.py:function or package.module:function; timm:NAME; or a Hugging Face text "
        "classifier: hf:ID or its folder, also of what one is to be trained from."
    ),
]
WEIGHTS = Annotated[
    Path | None,
    typer.Option(help="Trained weights of a named model: .safetensors, a state dict of torch.save, a trained folder."),
]
OUTPUTS = Annotated[
    str | None,
    typer.Option(
        help="What the model returns, where its outputs do not show it: logits or probabilities of classes; the logit "
        "or probability of the second of two classes; independent_logits or independent_probabilities of labels that "
        "do not exclude each other; numbers."
    ),
]
FACTORY = Annotated[
    str, typer.Option("--model", help="The factory that made the trained runs: its code runs when you name it.")
]
DATA = Annotated[
    str,
    typer.Argument(
        help="A name from 'perdure list data', with settings: boxes:variant=latter; or a .npz, .csv or .parquet file."
    ),
]
METHOD = Annotated[list[str], typer.Option(help="A name from 'perdure list methods', with settings; repeatable.")]
METRIC = Annotated[list[str], typer.Option(help="A name from 'perdure list metrics', with settings; repeatable.")]
OUT = Annotated[
    Path | None,
    typer.Option(
        parser=place,
        metavar="FOLDER",
        help="The run folder, or a URL such as s3://bucket/run; named after what is run when left out.",
    ),
]
SEED = Annotated[int, typer.Option(help="Seed of all that is drawn.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PRESET = Annotated[
    str, typer.Option(help="Training settings: 'clean', or 'paper' as published for input-cell attention.")
]
TRAIN_SETTINGS = Annotated[
    str, typer.Option(help="Training settings that differ from the preset: epochs=20,learning_rate=0.003.")
]

READERS = {".npz": "arrays", ".csv": "table", ".tsv": "table", ".parquet": "table", ".jsonl": "text_table"}
"""Dataset that reads a file of each suffix; a table of text may be compressed."""

FILE = re.compile(
    rf"((?!\w+:).+({'|'.join(map(re.escape, READERS))})(?:\.gz|\.bz2|\.xz)?)(:.*)?", re.DOTALL | re.IGNORECASE
)


def load_data(text: str, seed: int) -> Splits:
    """Load a dataset by name or by path.

    Args:
        text: registry name with settings, or the path of a .npz, .csv, .parquet or .jsonl file, also with settings.
        seed: of what is drawn.

    Returns:
        The splits.

    Raises:
        UnknownNameError: when no dataset has this name.
        SettingError: for a folder or another file, with what would read it.
        DataError: when the system refuses to read it; those of each dataset say more.
    """
    from perdure.core.registry import DATASETS

    match = FILE.fullmatch(text)
    if match is None:
        _check_named(text)
    name, settings = (READERS[match[2].lower()] + (match[3] or ""), {"path": match[1]}) if match else (text, {})
    try:
        splits: Splits = DATASETS.make(name, settings).load(seed)
    except OSError as error:
        remedy = "check the path and the permission to read it"
        raise DataError(f"'{error.filename or text}' cannot be read: {error.strerror or error}", remedy) from error
    return splits


def _check_named(text: str) -> None:
    """Say what reads a path that was given where the name of a dataset is.

    Raises:
        SettingError: when there is such a file or folder, and no dataset of this name.
    """
    from perdure.core.registry import DATASETS

    path, name = Path(text).expanduser(), text.partition(":")[0]
    if name in DATASETS.names():
        return
    if exists(path) and path.is_dir():
        raise SettingError(
            f"'{text}' is a folder", f"for pictures in folders named after their class write image_folder:path={text}"
        )
    if exists(path) or path.suffix in (".npy", ".pt"):
        raise SettingError(
            f"'{text}' is no file that holds samples with their labels",
            "store both in one archive: numpy.savez('data.npz', inputs=x, label=y); or give a table, .csv, .parquet or "
            ".jsonl",
        )


def load_batch(splits: Splits, split: str, limit: int | None) -> Batch:
    """Take the first samples of a split.

    Args:
        splits: the data.
        split: "train", "validation" or "test".
        limit: the most samples; None for all.

    Returns:
        The samples.

    Raises:
        SettingError: for another split, or a limit below 1.
    """
    from perdure.core.batch import slice_batch
    from perdure.core.check import check_choice, check_counts

    check_choice("split", split, ("train", "validation", "test"))
    batch: Batch = getattr(splits, split)
    if limit is None:
        return batch
    check_counts(limit=limit)
    return slice_batch(batch, slice(0, limit))


def other_samples(splits: Splits, split: str) -> Batch:
    """Take the samples that a method may see before it explains a split.

    Args:
        splits: the data.
        split: whose samples are explained.

    Returns:
        The training samples, or those of validation where training samples are explained.
    """
    return splits.validation if split == "train" else splits.train


def read_as(model: nn.Module, splits: Splits) -> Splits:
    """Let a trained model read the data: texts in the tokens of its own, where it has some.

    Args:
        model: of any kind.
        splits: the data.

    Returns:
        The same samples.
    """
    reader = getattr(model, "reader", None)
    return splits if reader is None else reader(splits)


def make_training(preset: str, train_settings: str) -> Training:
    """Make the training settings.

    Args:
        preset: "clean" or "paper".
        train_settings: Fields that differ from the preset, as on the command line.

    Returns:
        The settings.

    Raises:
        SettingError: For an unknown preset, field or value.
    """
    from perdure.core.spec import parse_settings
    from perdure.training.settings import make_training as make

    return make(preset, **parse_settings(train_settings))
